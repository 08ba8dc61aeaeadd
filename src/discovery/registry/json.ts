/** JSON of outside origin. */
import { MAX_DEPTH } from './limits.js';

/**
 * Parses `text` after counting how deep it nests: a parser that recurses must not meet 10⁵ brackets (R57).
 *
 * @throws Error that says what is wrong and quotes nothing of the text.
 */
export function parseJson(text: string): unknown {
  if (nestsDeeperThan(text, MAX_DEPTH)) throw new Error(`the JSON nests deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch {
    // No cause: the engine's message quotes the text.
    throw new Error('the answer is not JSON');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;

function nestsDeeperThan(text: string, max: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      depth += 1;
      if (depth > max) return true;
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}

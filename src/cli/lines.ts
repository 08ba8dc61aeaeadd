/** Lines of a stream, bounded: what comes from outside may have no line ends at all. */
import type { Readable } from 'node:stream';

/** Bytes of one line at most. */
export interface LineBounds {
  readonly maxBytes: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * The lines of `input`, without their ends, as they come. Reads no faster than it is asked.
 *
 * @throws Error for a line that is too long.
 */
export async function* linesOf(
  input: Readable | AsyncIterable<Uint8Array>,
  { maxBytes }: LineBounds,
): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const data of input) {
    const chunk = Buffer.isBuffer(data) ? data : Buffer.from(data as Uint8Array | string);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const last = chunk.subarray(from, at);
      if (held + last.length > maxBytes) throw new Error(`a line has more than ${maxBytes} bytes`);
      yield withoutReturn(pieces.length === 0 ? last : Buffer.concat([...pieces, last]));
      pieces = [];
      held = 0;
      from = at + 1;
    }
    const rest = chunk.subarray(from);
    held += rest.length;
    if (held > maxBytes) throw new Error(`a line has more than ${maxBytes} bytes`);
    if (rest.length > 0) pieces.push(rest);
  }
  if (held > 0) yield withoutReturn(Buffer.concat(pieces));
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}

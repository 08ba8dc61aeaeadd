/** The client ids that a plan is made for. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { unreadable } from '../discovery.js';
import { linesOf } from '../lines.js';
import { quoted, UsageError } from '../usage.js';

/** A client id in MQTT is a string of at most so many bytes [MQTT-1.5.4]. */
const MAX_ID_BYTES = 65_535;
const MAX_COUNT = 1_000_000_000;
/** Ids in one batch: the event loop turns between two. */
const BATCH = 4_096;

/** Client ids, in batches, and how many there are where that is known. */
export interface ClientIds {
  readonly total: number | undefined;
  readonly batches: AsyncIterable<readonly string[]>;
}

/**
 * Reads `--ids`: a count, for which ids `client-0`, `client-1`, … are made up, a file with one id a line, or `-`.
 *
 * @throws {@link UsageError} for a count out of bounds, and a file that cannot be read.
 */
export async function readClientIds(text: string, stdin: Readable): Promise<ClientIds> {
  if (/^\d[\d_]*$/.test(text)) {
    const total = Number(text.replaceAll('_', ''));
    if (total < 1 || total > MAX_COUNT)
      throw new UsageError(`--ids must be a count from 1 to ${MAX_COUNT} or a file, got ${quoted(text)}`);
    return { total, batches: made(total) };
  }
  if (text === '-') return { total: undefined, batches: read(stdin, 'stdin') };
  const file = await stat(text).catch((error: unknown) => {
    if (/^[\d.,'eEkKmM+-]+$/.test(text))
      throw new UsageError(`--ids must be a count in digits, such as 100000, or a file, got ${quoted(text)}`);
    throw unreadable('--ids', text, error);
  });
  if (file.isDirectory()) throw unreadable('--ids', text, { code: 'EISDIR' });
  return { total: undefined, batches: read(createReadStream(text, { highWaterMark: 1 << 18 }), text) };
}

async function* made(total: number): AsyncGenerator<readonly string[]> {
  for (let from = 0; from < total; from += BATCH) {
    yield Array.from({ length: Math.min(BATCH, total - from) }, (_, index) => `client-${from + index}`);
  }
}

async function* read(input: Readable, name: string): AsyncGenerator<readonly string[]> {
  let batch: string[] = [];
  try {
    for await (const line of linesOf(input, { maxBytes: MAX_ID_BYTES })) {
      if (line.length > 0) batch.push(line.toString('utf8'));
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`--ids ${quoted(name)} cannot be read: ${code ?? message}`);
  }
  if (batch.length > 0) yield batch;
}

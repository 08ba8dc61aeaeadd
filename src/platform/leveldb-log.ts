/** What LevelDB's files tell of damage that LevelDB passes over in silence. */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Records of a write-ahead log never cross the boundary of a block. */
const BLOCK_BYTES = 32 * 1024;
/** Checksum (4), length (2, little endian), type (1). */
const HEADER_BYTES = 7;
/** Bytes of the file LOG that are looked at, from its end. */
const REPORT_BYTES = 64 * 1024;

/**
 * Whether a write-ahead log ends in the middle of a record; asked before LevelDB opens the directory, which then leaves
 * that record out. It was never committed, unless the disk has lost or changed what it had confirmed.
 */
export async function endsInARecord(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (!/^\d+\.log$/.test(name)) continue;
    const cut = await withFile(join(directory, name), async (file) => {
      const { size } = await file.stat();
      const block = await tail(file, size % BLOCK_BYTES);
      return walk(block) > block.length;
    });
    if (cut) return true;
  }
  return false;
}

/** Where the last record of a block ends, or would. */
function walk(block: Buffer): number {
  let at = 0;
  while (at < block.length) {
    if (at + HEADER_BYTES > block.length) return at + HEADER_BYTES;
    at += HEADER_BYTES + block.readUInt16LE(at + 4);
  }
  return at;
}

/** What LevelDB has written about dropped bytes since it was opened. */
export async function droppedBytes(directory: string): Promise<string | undefined> {
  const text = await withFile(join(directory, 'LOG'), (file) => tail(file, REPORT_BYTES));
  return /dropping \d+ bytes; .*$/m.exec(text?.toString('latin1') ?? '')?.[0].slice(0, 200);
}

async function tail(file: FileHandle, bytes: number): Promise<Buffer> {
  const { size } = await file.stat();
  const length = Math.min(size, bytes);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return buffer;
}

/** The files are a hint: if they cannot be read, LevelDB itself will say so. */
async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  const file = await open(path).catch(() => undefined);
  try {
    return file && (await use(file));
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

/** Small texts on a real disk: whole or not at all, with `level` and without. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FileTextStore, textStores } from '../../../src/platform/node-text-store.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-store-'));
});
after(() => rm(folder, { recursive: true }));

describe('a text store by path', () => {
  test('keeps a text for each key across openings, in LevelDB', async () => {
    const path = join(folder, 'level');
    const open = textStores();
    await open(path).write('a', 'one');
    await open(path).write('b', 'two');
    assert.ok((await stat(path)).isDirectory());
    assert.deepEqual([await textStores()(path).read('a'), await open(path).read('b')], ['one', 'two']);
    assert.equal(await open(path).read('c'), undefined);
  });

  test('serves many clients of one process at the same time', async () => {
    const open = textStores();
    const path = join(folder, 'shared');
    await Promise.all(Array.from({ length: 20 }, (_, i) => open(path).write(`k${i}`, `${i}`)));
    const texts = await Promise.all(Array.from({ length: 20 }, (_, i) => open(path).read(`k${i}`)));
    assert.deepEqual(
      texts,
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  });

  test('stays a plain file where there is one already', async () => {
    const path = join(folder, 'plain');
    await writeFile(path, 'old');
    const store = textStores()(path);
    assert.equal(await store.read('a'), 'old');
    await store.write('a', 'new');
    assert.equal(await readFile(path, 'utf8'), 'new');
  });

  test('says what is wrong with a path that cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(textStores()(join(folder, 'file', 'below')).write('a', 'x'));
  });
});

describe('a file of one text', () => {
  test('is there as a whole, for its owner only, and leaves no draft behind', async () => {
    const path = join(folder, 'deep', 'er', 'list.json');
    const store = new FileTextStore(path);
    assert.equal(await store.read(), undefined);
    await store.write('a', 'x'.repeat(100_000));
    await store.write('a', 'short');
    assert.equal(await store.read(), 'short');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(folder, 'deep', 'er')), ['list.json']);
  });

  test('keeps the old text when the new one cannot be written', async () => {
    const path = join(folder, 'kept');
    await new FileTextStore(path).write('a', 'old');
    await assert.rejects(new FileTextStore(join(folder, 'kept', 'no')).write('a', 'x'));
    assert.equal(await readFile(path, 'utf8'), 'old');
  });
});

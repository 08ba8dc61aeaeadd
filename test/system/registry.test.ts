/**
 * Registries that exist: nginx with the example's configuration, etcd with the example's scripts.
 *
 * The world: real nginx, real etcd, the examples as processes of their own, and brokers on 127.0.0.1.
 */
import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FailoverClient, FailoverEvents } from '../../src/index.js';
import { client } from '../integration/world.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { accepts, freePort } from '../support/daemon.js';
import { collect, once, until } from '../support/events.js';
import { answers, Program } from '../support/program.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'examples/registry');

const documentOf = (urls: readonly string[], fields: object = {}) =>
  JSON.stringify({
    schema: 'mqtt-nodes/1',
    nodes: urls.map((url, i) => ({ id: `n${i + 1}`, urls: [url] })),
    ...fields,
  });
const known = (made: FailoverClient) =>
  made
    .status()
    .endpoints.map(({ id }) => id)
    .sort()
    .join();

describe('nginx', () => {
  /** The example's configuration, at a port and in a directory of the test's own. */
  async function nginx(document: string) {
    const port = await freePort();
    let file = '';
    const program = await Program.start(
      'nginx',
      async (directory) => {
        const config = await readFile(join(EXAMPLES, 'nginx/nginx.conf'), 'utf8');
        const own = config
          .replaceAll('/tmp/mqtt-registry-nginx', join(directory, 'tmp'))
          .replace('127.0.0.1:8088', `127.0.0.1:${port}`)
          .replace('max-age=30', 'max-age=1')
          // Started by root, its workers would be somebody else.
          .replace('worker_processes 1;', 'master_process off;');
        assert.notEqual(own, config);
        await writeFile(join(directory, 'nginx.conf'), own);
        file = join(directory, 'nodes.json');
        await writeFile(file, document);
        return ['-p', `${directory}/`, '-c', 'nginx.conf'];
      },
      { ready: () => answers(`http://127.0.0.1:${port}/`) },
    );
    const replace = async (text: string) => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    return { program, replace, url: `http://127.0.0.1:${port}/nodes.json` };
  }

  test('serves a static list: unchanged is 304, and a changed file is followed', {
    timeout: 60_000,
  }, async () => {
    await using brokers = await aedesCluster(2);
    const urls = brokers.urls;
    const { program, replace, url } = await nginx(documentOf(urls.slice(0, 1), { revision: '1' }));
    await using _ = program;
    const first = await fetch(url);
    await first.arrayBuffer();
    const etag = first.headers.get('etag') ?? '';
    assert.deepEqual(
      [
        first.headers.get('cache-control'),
        first.headers.get('content-type'),
        first.headers.get('access-control-allow-origin'),
      ],
      ['max-age=1', 'application/json', '*'],
    );
    const again = await fetch(url, { headers: { 'if-none-match': etag } });
    assert.equal(again.status, 304);
    await using made = client(`registry+${url}`, { discovery: { registry: { pollMs: 1_000 } } });
    await once(made, 'connect');
    assert.equal(made.status().current, 'n1');
    const { updatedAt } = made.status().discovery;
    await until(() => (made.status().discovery.updatedAt ?? 0) > (updatedAt ?? 0), {
      what: 'a poll',
      timeoutMs: 10_000,
    });
    await replace(documentOf(urls, { revision: '2' }));
    await until(() => known(made) === 'n1,n2', { what: 'the new list', timeoutMs: 15_000 });
    assert.equal(made.status().discovery.revision, '2');
    // The registry goes; the client stays, and says so.
    const errors = collect<FailoverEvents['discovery-error']>(made, 'discovery-error');
    await program.kill();
    await until(() => errors.length > 0, { what: 'word of the loss', timeoutMs: 15_000 });
    assert.match(errors[0]!.error.message, /ECONNREFUSED/);
    assert.deepEqual([known(made), made.status().state], ['n1,n2', 'connected']);
  });

  test('serves the list of the example as it is', { timeout: 60_000 }, async () => {
    const { program, url } = await nginx(await readFile(join(EXAMPLES, 'nginx/nodes.json'), 'utf8'));
    await using _ = program;
    await using made = client(`registry+${url}`, { manualConnect: true });
    made.connect();
    await until(() => known(made) === 'n1,n2', { what: 'the list' });
    assert.equal(made.status().discovery.revision, '1');
  });
});

describe('BIND', () => {
  test('serves the zone of the example, tiers and weights included', { timeout: 60_000 }, async () => {
    const port = await freePort();
    await using _ = await Program.start(
      'named',
      async (directory) => {
        const config = await readFile(join(EXAMPLES, 'bind/named.conf'), 'utf8');
        const own = config.replace('directory "."', `directory "${directory}"`).replaceAll('5353', `${port}`);
        assert.notEqual(own, config);
        await writeFile(join(directory, 'named.conf'), own);
        const zone = await readFile(join(EXAMPLES, 'bind/example.test.zone'));
        await writeFile(join(directory, 'example.test.zone'), zone);
        return ['-g', '-c', join(directory, 'named.conf')];
      },
      { ready: () => accepts(port) },
    );
    await using made = client('mqtt+srv://example.test', {
      selection: 'client-id',
      manualConnect: true,
      discovery: { dns: { servers: [`127.0.0.1:${port}`] } },
    });
    made.connect();
    await once(made, 'topology');
    const shown = made.status().endpoints.map(({ id, priority, weight }) => `${id} ${priority} ${weight}`);
    assert.deepEqual(shown.sort(), [
      'balancer.example.test:1883 9 0',
      'n1.example.test:1883 0 2',
      'n2.example.test:1883 0 1',
    ]);
  });
});

describe('etcd', () => {
  async function etcd() {
    const [port, peer] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${port}`;
    const program = await Program.start(
      'etcd',
      (directory) => [
        ...['--data-dir', join(directory, 'data'), '--log-level', 'error', '--unsafe-no-fsync'],
        ...['--listen-client-urls', url, '--advertise-client-urls', url],
        ...[
          '--listen-peer-urls',
          `http://127.0.0.1:${peer}`,
          '--initial-advertise-peer-urls',
          `http://127.0.0.1:${peer}`,
        ],
        ...['--initial-cluster', `default=http://127.0.0.1:${peer}`],
      ],
      { ready: () => answers(`${url}/health`) },
    );
    return { program, url };
  }

  const register = (url: string, id: string, broker: string) =>
    Program.start(process.execPath, () => [join(EXAMPLES, 'etcd/register.mjs'), id, broker], {
      env: { ...process.env, ETCD: url },
      ready: (output) => output.includes(`registered ${id}`),
    });

  test('pushes what registers, leaves and dies, to a client that polls once an hour', {
    timeout: 90_000,
  }, async () => {
    await using brokers = await aedesCluster(3);
    const [one, two, three] = brokers.urls as [string, string, string];
    const { program, url } = await etcd();
    await using _ = program;
    await using first = await register(url, 'n1', one);
    await using second = await register(url, 'n2', two);
    await using made = client(`registry+${url}/v3/kv/range?prefix=/mqtt/nodes/`, {
      discovery: { registry: { pollMs: 3_600_000 } },
    });
    await once(made, 'connect');
    assert.equal(known(made), 'n1,n2');
    // The watch has been opened when its own look at the range has been taken.
    const { updatedAt } = made.status().discovery;
    await until(() => (made.status().discovery.updatedAt ?? 0) > (updatedAt ?? 0), { what: 'the watch' });
    await using third = await register(url, 'n3', three);
    await until(() => known(made) === 'n1,n2,n3', { what: 'n3', timeoutMs: 2_000 });
    // A clean leave is told at once, a death when its lease has run out.
    await third.kill('SIGTERM');
    await until(() => known(made) === 'n1,n2', { what: 'n3 to leave', timeoutMs: 2_000 });
    await second.kill('SIGKILL');
    await until(() => known(made) === 'n1', { what: 'the lease of n2 to end', timeoutMs: 15_000 });
    assert.equal(made.status().discovery.error, null);
    await first.kill('SIGTERM');
  });

  test('example: its client finds the brokers that register', { timeout: 60_000 }, async () => {
    await using brokers = await aedesCluster(1);
    const { program, url } = await etcd();
    await using _ = program;
    await using __ = await register(url, 'n1', brokers.urls[0] as string);
    await using example = await Program.start(
      process.execPath,
      () => ['--import', 'tsx', join(EXAMPLES, 'etcd/client.ts')],
      {
        env: { ...process.env, ETCD: url, TSX_TSCONFIG_PATH: join(ROOT, 'examples/tsconfig.json') },
        ready: (output) => output.includes('connected to n1'),
      },
    );
    assert.match(example.output, /^added \[n1\] removed \[\]$/m);
    await example.kill('SIGTERM');
  });
});

// The package as its users have it: unpacked from the tarball into projects of their own, without a network.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Aedes } from 'aedes';

const run = promisify(execFile);

const WORK = `
  if (typeof failover.connect !== 'function' || failover.connect !== connect) throw new Error('default export');
  const client = await connectAsync([process.argv[2]], { clientId: 'consumer' });
  if (!(client instanceof FailoverClient)) throw new Error('not a FailoverClient');
  await client.publishAsync('greetings', 'hello', { qos: 1 });
  await client.endAsync();
  if (rank('pump-17', [{ id: 'a' }, { id: 'b' }]).length !== 2) throw new Error('rank');
`;

const ESM = `
  import { createRequire } from 'node:module';
  import failover, { connect, connectAsync, FailoverClient, rank } from 'mqtt-failover';
  ${WORK}
  const required = createRequire(import.meta.url)('mqtt-failover');
  if (required.connect !== connect || required.FailoverClient !== FailoverClient) throw new Error('two implementations');
`;

const COMMONJS = `
  const failover = require('mqtt-failover');
  const { connect, connectAsync, FailoverClient, rank } = failover;
  (async () => { ${WORK.replace('failover.connect !== connect', 'failover.default.connect !== connect')} })();
`;

const INSTRUMENTED = `
  import { connect } from 'mqtt-failover';
  import { instrument } from 'mqtt-failover/opentelemetry';
  const client = connect([process.argv[2]], { manualConnect: true });
  instrument(client)();
`;

const TYPED = `
  import failover, { connect, type EndpointSet, type FailoverClient, type FailoverOptions } from 'mqtt-failover';
  import { instrument } from 'mqtt-failover/opentelemetry';
  const options: FailoverOptions = { clientId: 'pump-17', outbox: { overflow: 'drop-oldest' } };
  const client: FailoverClient = connect(['mqtt://a', { url: 'wss://b/mqtt', weight: 2 }], options);
  client.on('failover', ({ from, offlineMs }) => console.log(from.toUpperCase(), offlineMs.toFixed()));
  client.on('message', (topic, payload, packet) => console.log(topic, payload.length, packet.afterFailover));
  const stop: () => void = instrument(client, { destination: (topic) => topic.slice(0, 1) });
  const resolve = async (): Promise<EndpointSet> => ({ endpoints: [], source: 'mine' });
  failover.connect({ resolve });
  // @ts-expect-error an unknown policy
  connect('mqtt://a,b', { outbox: { overflow: 'drop-everything' } });
  export { stop };
`;

const STRICT = { strict: true, noEmit: true, target: 'es2022', types: ['node'], skipLibCheck: false };
const TYPE_CHECKS = {
  'tsconfig.node16.json': {
    compilerOptions: { ...STRICT, module: 'node16' },
    files: ['typed.mts', 'typed.cts'],
  },
  'tsconfig.bundler.json': {
    compilerOptions: { ...STRICT, module: 'esnext', moduleResolution: 'bundler' },
    files: ['typed.ts'],
  },
};

/**
 * Uses the package from ES modules, CommonJS, the command line and TypeScript.
 *
 * @param root - The repository; what it has installed stands in for the registry.
 * @throws what a consumer would see.
 */
export async function useAsConsumers(root, folder, tarball, manifest) {
  const modules = join(folder, 'node_modules');
  const link = async (name) => {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
  };
  const installed = join(modules, manifest.name);
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed]);
  const optional = manifest.peerDependenciesMeta;
  const peers = Object.keys(manifest.peerDependencies);
  for (const name of [
    ...Object.keys(manifest.dependencies),
    ...peers.filter((peer) => !optional[peer]?.optional),
  ])
    await link(name);
  const texts = {
    'package.json': JSON.stringify({ name: 'consumer', private: true }),
    'consumer.mjs': ESM,
    'consumer.cjs': COMMONJS,
    'instrumented.mjs': INSTRUMENTED,
    'typed.mts': TYPED,
    'typed.cts': TYPED,
    'typed.ts': TYPED,
    ...Object.fromEntries(
      Object.entries(TYPE_CHECKS).map(([name, config]) => [name, JSON.stringify(config)]),
    ),
  };
  await Promise.all(Object.entries(texts).map(([name, text]) => writeFile(join(folder, name), text)));

  const node = (...args) => run(process.execPath, args, { cwd: folder, timeout: 300_000 });
  await withBroker(async (url) => {
    // Optional peers are not there yet.
    await Promise.all([
      node('consumer.mjs', url),
      node('consumer.cjs', url),
      node(join(installed, manifest.bin[manifest.name]), 'pub', 'greetings', 'hello', '--brokers', url),
    ]);
    for (const name of [...peers.filter((peer) => optional[peer]?.optional), '@types/node']) await link(name);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await Promise.all([
      node('instrumented.mjs', url),
      ...Object.keys(TYPE_CHECKS).map((name) => node(tsc, '-p', name)),
    ]);
  });
}

async function withBroker(use) {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(`mqtt://127.0.0.1:${server.address().port}`);
  } finally {
    server.close();
    await new Promise((resolve) => aedes.close(resolve));
  }
}

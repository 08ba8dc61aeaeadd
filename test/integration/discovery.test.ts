/**
 * Where the brokers are, from several sources, from the brokers themselves and from an earlier life; and that nothing
 * is dialed which the configuration does not authorise.
 *
 * The world: aedes brokers and a registry over HTTP on 127.0.0.1. Real: sockets, files, time.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type FailoverClient, type FailoverEvents, tokens } from '../../src/index.js';
import { nodePlatform } from '../../src/platform/node.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { RegistryServer } from '../support/registry-server.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client } from './world.js';

const documentOf = (urls: readonly string[], fields: object = {}) => ({
  schema: 'mqtt-nodes/1',
  nodes: urls.map((url, at) => ({ id: `n${at + 1}`, urls: [url] })),
  ...fields,
});
const ids = (made: FailoverClient) => made.status().endpoints.map(({ id }) => id);
/** Nobody listens there. */
const NOBODY = 'registry+http://127.0.0.1:9/nodes.json';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'discovery-'));
});
after(() => rm(folder, { recursive: true }));

describe('several sources', () => {
  test('are asked in order: a registry that is down is stood in for by the list', async () => {
    await using brokers = await aedesCluster(1);
    const url = `${brokers.urls[0]}`;
    await using device = client({ sources: [NOBODY, [{ url, id: 'seed' }]] }, { clientId: 'device' });
    await once(device, 'connect');
    assert.deepEqual([ids(device), device.status().discovery.source], [['seed'], 'static']);
  });

  test('are merged when asked to be', async () => {
    await using brokers = await aedesCluster(2);
    await using registry = await RegistryServer.open(documentOf([`${brokers.urls[0]}`]));
    const list = [{ url: `${brokers.urls[1]}`, id: 'seed' }];
    await using device = client({ sources: [registry.url, list], mode: 'union' }, { clientId: 'device' });
    await once(device, 'connect');
    assert.deepEqual(ids(device).sort(), ['n1', 'seed']);
    assert.equal(device.status().discovery.source, 'registry+static');
    const origins = Object.fromEntries(device.explain().map(({ id, origin }) => [id, origin]));
    assert.deepEqual(origins, { n1: 'registry', seed: 'static' });
  });

  test('that all fail are all named in the error', async () => {
    await using device = client(
      { sources: [NOBODY, async () => Promise.reject(new Error('my own is down'))] },
      { clientId: 'device' },
    );
    const [error] = await once<[Error]>(device, 'error');
    assert.match(error.message, /127\.0\.0\.1:9.*my own is down/s);
  });
});

describe('the last good list', () => {
  test('is what a device boots with while its registry is down', async () => {
    await using brokers = await aedesCluster(1);
    const lastKnownGood = join(folder, 'list');
    const options = {
      clientId: 'device',
      discovery: { lastKnownGood, registry: { headers: { x: 'canary' } } },
    };
    const registry = await RegistryServer.open(documentOf([`${brokers.urls[0]}`]));
    const { url } = registry;
    {
      await using device = client(url, options);
      await once(device, 'connect');
      await until(
        () =>
          stat(lastKnownGood).then(
            () => true,
            () => false,
          ),
        { what: 'the list on disk' },
      );
    }
    await registry[Symbol.asyncDispose]();
    await using device = client(url, options);
    const errors = collect(device, 'discovery-error');
    await once(device, 'connect');
    assert.deepEqual([ids(device), device.status().discovery.source], [['n1'], 'last-known-good']);
    await until(() => errors.length > 0, { what: 'word of the registry that is down' });
    await device.publishAsync('readings', '1', { qos: 1 });
    for (const name of await readdir(lastKnownGood))
      assert.doesNotMatch(await readFile(join(lastKnownGood, name), 'latin1'), /canary/);
  });

  test('of another registry is not believed', async () => {
    await using brokers = await aedesCluster(1);
    await using registry = await RegistryServer.open(documentOf([`${brokers.urls[0]}`]));
    const discovery = { lastKnownGood: join(folder, 'other') };
    {
      await using device = client(registry.url, { clientId: 'device', discovery });
      await once(device, 'connect');
      await until(
        () =>
          stat(discovery.lastKnownGood).then(
            () => true,
            () => false,
          ),
        { what: 'the list' },
      );
    }
    await using device = client(NOBODY, { clientId: 'device', discovery });
    const [error] = await once<[{ code: string }]>(device, 'error');
    assert.deepEqual([error.code, ids(device)], ['ERR_DISCOVERY', []]);
  });
});

describe('a topology topic', () => {
  const TOPIC = 'cluster/topology';

  test('replaces the seeds with what the connected broker says, and is no message of the application', async () => {
    await using brokers = await aedesCluster(2);
    const [seed, other] = [`${brokers.urls[0]}`, `${brokers.urls[1]}`];
    await using operator = client([seed], { clientId: 'operator', failback: {} });
    await once(operator, 'connect');
    const publish = (document: object) =>
      operator.publishAsync(TOPIC, JSON.stringify(document), { qos: 1, retain: true });
    await publish(documentOf([seed, other]));

    await using device = client([{ url: seed, id: 'n1' }], {
      clientId: 'device',
      discovery: { topic: TOPIC },
    });
    const messages = collect<string>(device, 'message');
    const [{ added, source }] = await once<[FailoverEvents['topology']]>(device, 'topology').then(() =>
      once<[FailoverEvents['topology']]>(device, 'topology'),
    );
    assert.deepEqual([added, source, ids(device).sort()], [['n2'], 'topic', ['n1', 'n2']]);
    await device.subscribeAsync('readings');
    await operator.publishAsync('readings', '1', { qos: 1 });
    await until(() => messages.length > 0, { what: 'a message' });
    assert.deepEqual(messages, ['readings']);

    const reported = once<[FailoverEvents['discovery-error']]>(device, 'discovery-error');
    await operator.publishAsync(TOPIC, '{"schema":"mqtt-nodes/2","nodes":[]}', { qos: 1, retain: true });
    const [{ error }] = await reported;
    assert.match(error.message, /topology topic was ignored: the document is refused/);
    assert.deepEqual(ids(device).sort(), ['n1', 'n2']);
  });

  for (const protocolVersion of [4, 5] as const) {
    test(`that the broker does not let us read is reported (MQTT ${protocolVersion})`, async () => {
      await using broker = await scriptedBroker((packet, connection) => {
        if (packet.cmd !== 'subscribe') return;
        connection.send({ cmd: 'suback', messageId: packet.messageId as number, granted: [0x80] });
        return true;
      });
      await using device = client([broker.url], {
        clientId: 'device',
        protocolVersion,
        discovery: { topic: TOPIC },
      });
      const [{ error }] = await once<[FailoverEvents['discovery-error']]>(device, 'discovery-error');
      assert.match(error.message, /topology topic cannot be read/);
      assert.equal(device.status().state, 'connected');
    });
  }

  test('reaches an application that asked for it, too', async () => {
    await using brokers = await aedesCluster(1);
    const url = `${brokers.urls[0]}`;
    await using device = client([{ url, id: 'n1' }], { clientId: 'device', discovery: { topic: TOPIC } });
    await once(device, 'connect');
    await device.subscribeAsync('cluster/#');
    const message = once<[string]>(device, 'message');
    await device.publishAsync(TOPIC, JSON.stringify(documentOf([url])), { qos: 1 });
    assert.equal((await message)[0], TOPIC);
  });
});

describe('a host that the configuration does not authorise', () => {
  test('is not dialed, shows as unusable, and is a security event', async () => {
    await using brokers = await aedesCluster(1);
    const urls = ['mqtts://broker.evil.example:8883', `${brokers.urls[0]}`];
    await using registry = await RegistryServer.open(documentOf(urls));
    const dialed: string[] = [];
    const { network } = nodePlatform;
    const watched = {
      schemes: network.schemes,
      resolve: network.resolve?.bind(network),
      open: (...args: Parameters<typeof network.open>) => {
        dialed.push(args[0].endpoint.id);
        return network.open(...args);
      },
    };
    await using device = client(registry.url, {
      clientId: 'device',
      overrides: (container) => container.register(tokens.network, { useValue: watched as typeof network }),
    });
    const alarms = collect<FailoverEvents['security']>(device, 'security');
    await once(device, 'connect');
    const [evil, good] = ['n1', 'n2'].map((id) => device.status().endpoints.find((each) => each.id === id));
    assert.deepEqual([evil?.state, good?.state, dialed], ['unusable', 'healthy', ['n2']]);
    assert.match(`${evil?.reason}`, /broker\.evil\.example does not belong to 127\.0\.0\.1/);
    assert.deepEqual(
      alarms.map(({ endpoint, code }) => [endpoint, code]),
      [['n1', 'UNAUTHORISED_HOST']],
    );
    await assert.rejects(device.moveTo('n1'), { code: 'ERR_NO_ENDPOINT' });
  });

  test('is permitted by discovery.allowedHosts', async () => {
    await using registry = await RegistryServer.open(
      documentOf(['mqtts://n.trusted.example:8883', 'mqtt://plain.trusted.example:1883']),
    );
    await using device = client(registry.url, {
      clientId: 'device',
      manualConnect: true,
      discovery: { allowedHosts: ['*.trusted.example'] },
    });
    device.connect();
    await once(device, 'topology');
    const states = device.status().endpoints.map(({ id, state }) => `${id} ${state}`);
    assert.deepEqual(states.sort(), ['n1 healthy', 'n2 healthy']);
  });

  test('does not get a connection by resolving to where no broker can be', async () => {
    await using registry = await RegistryServer.open(documentOf(['mqtt://localhost:1883']));
    const { network } = nodePlatform;
    const opened: string[] = [];
    const forged = {
      schemes: network.schemes,
      resolve: async () => [{ address: '169.254.169.254', family: 4 as const }],
      open: async (_target: unknown, _signal: unknown, address?: { address: string }) => {
        opened.push(`${address?.address}`);
        throw new Error('opened');
      },
    };
    await using device = client(registry.url, {
      clientId: 'device',
      overrides: (container) => container.register(tokens.network, { useValue: forged as never }),
    });
    const [error] = await once<[Error]>(device, 'error');
    assert.match(error.message, /no address of localhost may be dialed from here: 169\.254\.169\.254/);
    assert.deepEqual(opened, []);
  });
});

describe('a long list', () => {
  test('is cut down to maxEndpoints, home among them, and the same after a restart', async () => {
    await using brokers = await aedesCluster(1);
    const urls = Array.from({ length: 50 }, () => `${brokers.urls[0]}`);
    await using registry = await RegistryServer.open(documentOf(urls));
    const seen: string[][] = [];
    let home: string | null = null;
    for (const maxEndpoints of [3, 3, 50]) {
      await using device = client(registry.url, {
        clientId: 'device',
        selection: 'client-id',
        discovery: { maxEndpoints },
      });
      await once(device, 'connect');
      if (maxEndpoints === 3) seen.push(ids(device));
      home = device.status().home;
    }
    assert.equal(seen[0]?.length, 3);
    assert.deepEqual([seen[0], seen[0]?.[0]], [seen[1], home]);
  });
});

// The server of the fleet page: only its own page may press buttons, everything is bounded, nothing is left behind.
// World: the demo's server and brokers in this process. Real: sockets. Fake: the page.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { WebSocket } from 'ws';
import { WebBroker } from '../../examples/demo/web/broker.js';
import { FleetServer } from '../../examples/demo/web/server.js';
import { connectAsync } from '../../src/index.js';
import { once as happened, until } from '../support/events.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Broker {
  readonly id: string;
  readonly condition: string;
}

/** A running server, and what a page does with it. */
async function world() {
  const server = await FleetServer.start(0);
  const origin = server.url.slice(0, -1);
  const get = async (path: string) => (await fetch(origin + path)).json() as Promise<Record<string, unknown>>;
  const post = (path: string, headers: Record<string, string> = { origin }) =>
    fetch(origin + path, { method: 'POST', headers });
  const conditions = async () =>
    ((await get('/state.json')).brokers as Broker[]).map(({ id, condition }) => `${id} ${condition}`);
  return { server, origin, get, post, conditions, [Symbol.asyncDispose]: () => server.stop() };
}

/** The status of a request with a header that `fetch` does not let one choose. */
async function statusAs(origin: string, host: string): Promise<number | undefined> {
  const asked = request(origin, { headers: { host } }).end();
  const [response] = await once(asked, 'response');
  response.resume();
  return response.statusCode;
}

describe('the server of the fleet page', { timeout: 60_000 }, () => {
  it('serves a registry that a client connects by, and counts what it publishes', async () => {
    await using demo = await world();
    const client = await connectAsync(`registry+${demo.origin}/nodes.json`, {
      clientId: 'sensor-01',
      wsOptions: { headers: { origin: demo.origin } },
    });
    for (const reading of ['1 20', '2 20', '4 20'])
      await client.publishAsync('fleet/1-a/sensor-01', reading, { qos: 1 });
    await client.publishAsync('fleet/1-a/__proto__', '1', { qos: 1 });
    await client.publishAsync('fleet/1-a/sensor-02', 'no number', { qos: 1 });
    assert.deepEqual((await demo.get('/state.json?session=1-a')).arrived, { 'sensor-01': 2 });
    assert.deepEqual((await demo.get('/state.json?session=other')).arrived, {});
    await client.endAsync();
  });

  it('lets the registry say what becomes of a broker', async () => {
    await using demo = await world();
    await demo.post('/brokers/n1/drain');
    await demo.post('/brokers/n2/kill');
    assert.deepEqual(await demo.conditions(), ['n1 draining', 'n2 dead', 'n3 up']);
    const nodes = (await demo.get('/nodes.json')).nodes as { state: string; drainBy?: string }[];
    assert.deepEqual(
      nodes.map(({ state }) => state),
      ['draining', 'up', 'up'],
      'a dead broker is listed as up until a check would have found out',
    );
    assert.ok(nodes[0]?.drainBy);
    await demo.post('/brokers/n1/start');
    await demo.post('/brokers/n2/start');
    assert.deepEqual(await demo.conditions(), ['n1 up', 'n2 up', 'n3 up']);
  });

  it('holds who comes to a broker that hangs, and answers after that', async () => {
    await using demo = await world();
    await demo.post('/brokers/n1/hang');
    const nodes = (await demo.get('/nodes.json')).nodes as { urls: string[] }[];
    const socket = new WebSocket(nodes[0]?.urls[0] ?? '', 'mqtt', { origin: demo.origin });
    let isOpen = false;
    socket.on('open', () => {
      isOpen = true;
    });
    // Another broker has answered a later question meanwhile: this one had its time.
    const other = new WebSocket(nodes[1]?.urls[0] ?? '', 'mqtt', { origin: demo.origin });
    await once(other, 'open');
    assert.equal(isOpen, false);
    await demo.post('/brokers/n1/resume');
    await until(() => isOpen, { what: 'the held WebSocket to open' });
    for (const each of [socket, other]) each.terminate();
  });

  it('refuses buttons pressed by other pages, and names that were led here', async () => {
    await using demo = await world();
    assert.equal((await demo.post('/brokers/n1/kill', {})).status, 403);
    assert.equal((await demo.post('/brokers/n1/kill', { origin: 'http://evil.example' })).status, 403);
    assert.equal(await statusAs(demo.origin, 'evil.example'), 403);
    assert.deepEqual(await demo.conditions(), ['n1 up', 'n2 up', 'n3 up']);
    const nodes = (await demo.get('/nodes.json')).nodes as { urls: string[] }[];
    const socket = new WebSocket(nodes[0]?.urls[0] ?? '', 'mqtt', { origin: 'http://evil.example' });
    const [error] = await once(socket, 'error');
    assert.match(error.message, /403/);
  });

  it('refuses what makes no sense, and more brokers than fit', async () => {
    await using demo = await world();
    for (const [path, status] of [
      ['/brokers/n1/resume', 409],
      ['/brokers/n1/start', 409],
      ['/brokers/n9/kill', 404],
      ['/brokers/n1/explode', 404],
      ['/brokers/n1/constructor', 404],
      ['/nodes.json', 404],
    ] as const)
      assert.equal((await demo.post(path)).status, status, path);
    assert.equal((await fetch(`${demo.origin}/..%2fpackage.json`)).status, 404);
    assert.equal((await fetch(demo.origin, { method: 'PUT' })).status, 405);
    const added = await Promise.all(Array.from({ length: 5 }, () => demo.post('/brokers')));
    assert.deepEqual(added.map(({ status }) => status).sort(), [200, 200, 200, 409, 409]);
    assert.equal((await demo.conditions()).length, 6);
  });

  it('has seen what it acknowledged when it is killed in that moment', async () => {
    const seen = new Set<string>();
    const broker = new WebBroker('n1', {
      admits: () => true,
      onMessage: (_topic, payload) => seen.add(payload),
    });
    await broker.start();
    const client = mqtt.connect(broker.url, { reconnectPeriod: 0 });
    client.on('error', () => {});
    await happened(client, 'connect');
    const acknowledged: string[] = [];
    const closed = happened(client, 'close');
    for (let i = 1; i <= 200; i += 1) {
      const reading = `${i} ${'.'.repeat(800)}`;
      client.publish('fleet/1-a/sensor-01', reading, { qos: 1 }, (error) => {
        if (!error) acknowledged.push(reading);
        void broker.kill();
      });
    }
    await closed;
    assert.ok(acknowledged.length > 0);
    assert.deepEqual(
      acknowledged.filter((reading) => !seen.has(reading)),
      [],
    );
    client.end(true);
  });

  it('waits for its port when that is taken for a moment', async () => {
    const broker = new WebBroker('n1', { admits: () => true, onMessage: () => {} });
    await broker.start();
    await broker.kill();
    const squatter = createServer().listen(Number(new URL(broker.url).port), '127.0.0.1');
    await once(squatter, 'listening');
    setTimeout(() => squatter.close(), 50);
    await broker.start();
    assert.ok(broker.isRunning);
    await broker.kill();
  });

  it('says which port is taken, and what to do', async () => {
    await using demo = await world();
    const { port } = new URL(demo.origin);
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'examples/demo/main.ts', '--web', '--port', port],
      {
        cwd: ROOT,
        env: { ...process.env, TSX_TSCONFIG_PATH: `${ROOT}examples/tsconfig.json` },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is taken.*--port ${Number(port) + 1}`));
    assert.doesNotMatch(stderr, /\n +at /);
  });

  it('leaves nothing open when it stops, whatever its brokers were doing', async () => {
    const before = openHandles();
    const server = await FleetServer.start(0);
    const origin = server.url.slice(0, -1);
    const { nodes } = (await (await fetch(`${origin}/nodes.json`)).json()) as { nodes: { urls: string[] }[] };
    const webSockets = nodes.map(({ urls }) => new WebSocket(urls[0] ?? '', 'mqtt', { origin }));
    await Promise.all(webSockets.map((webSocket) => once(webSocket, 'open')));
    await fetch(`${origin}/brokers/n1/hang`, { method: 'POST', headers: { origin } });
    const held = connect(Number(new URL(nodes[0]?.urls[0] ?? '').port), '127.0.0.1');
    await once(held, 'connect');
    held.write('GET /mqtt HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const gone = [...webSockets, held].map(
      (socket) => new Promise((resolve) => socket.on('error', () => {}).on('close', resolve)),
    );
    await server.stop();
    await Promise.all(gone);
    await expectNoNewHandles(before);
  });
});

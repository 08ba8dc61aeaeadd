/**
 * What our client shows on every cluster, whatever it is made of. Run for each kind that there is.
 *
 * World: three nodes as processes, a fleet of clients, and subscribers of plain MQTT.js that see what arrives. Nodes are
 * killed, frozen, drained and restarted. Real: everything. Fake: nothing; failback is shortened from minutes to seconds.
 *
 * Clusters differ in what they keep and for how long. What a cluster cannot do is stated with its reason, and shown as
 * well: the day it can, the test says so. Only of what it *may* do, the test takes either.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import {
  type BrokerSpec,
  type BrokersInput,
  connect,
  type FailoverEvents,
  type FailoverOptions,
} from '../../src/index.js';
import { accepts } from '../support/daemon.js';
import { collect, once, until } from '../support/events.js';
import type { BrokerCluster, BrokerNode } from '../support/server.js';
import { Audit, allHome, Device, HASTE, idsByHome, settled } from '../system/fleet.js';

/** A way in which a cluster falls short, and why. */
export interface Because<T> {
  readonly is: T;
  readonly because: string;
}

/** What a cluster says of itself. */
export interface ClusterTraits {
  /** MQTT versions that it speaks, the one of the tests first. */
  readonly versions: readonly [4 | 5, ...(4 | 5)[]];
  /** Versions that it refuses, and the `code` of the error that its client gets. */
  readonly refuses?: Partial<Record<4 | 5, Because<string>>>;
  /** Where retained messages are: at every node, or only at the one that they were published to. */
  readonly retained: 'everywhere' | Because<'at one node'>;
  /** Whether a session is found at another node when the client leaves its own. */
  readonly sessions: 'move' | Because<'stay'>;
  /** Whether a session outlives its node. */
  readonly sessionsOfDeadNodes: 'survive' | Because<'are lost'>;
  /** Who gets a message of a shared subscription: one of its members, one at each node, or nobody. */
  readonly sharedSubscriptions: 'one member' | Because<'one member at each node' | 'refused' | 'nobody'>;
  /** Whether messages that a node acknowledged reach the subscribers at other nodes although it is killed. */
  readonly acknowledged: 'kept' | Because<'may die with the node'>;
  /** Whether the others serve while one node hangs. */
  readonly whileOneHangs: 'others serve' | Because<'others may wait'>;
  /** What becomes of the connections to the other nodes when one leaves or dies. */
  readonly others: 'are left in peace' | Because<'may be closed'>;
  /** Milliseconds between two CONNECTs of one client id that it needs to tell which is the newer one. */
  readonly tellsApartMs?: Because<number>;
  /** What the last node does without the others. */
  readonly lastNode: 'serves' | Because<'refuses' | 'is silent'>;
  /**
   * Milliseconds that it may take to serve again when two of three nodes have been killed and are started, where that is more
   * than {@link ClusterUnderTest.recoverMs}.
   */
  readonly returnsMs?: Because<number>;
}

export interface ClusterUnderTest {
  readonly name: string;
  readonly start: () => Promise<BrokerCluster>;
  readonly traits: ClusterTraits;
  /** For every client: credentials, and whom to trust. */
  readonly login?: Pick<IClientOptions, 'username' | 'password' | 'ca' | 'wsOptions'>;
  /** For our clients, where the cluster needs more time than others. */
  readonly options?: FailoverOptions;
  /** Sessions of the fleet. @defaultValue 'clean' */
  readonly fleet?: 'clean' | Because<'persistent'>;
  /** Milliseconds that the cluster may take to have everybody served again. @defaultValue 30 000 */
  readonly recoverMs?: number;
  /** How many planned moves of one client are tried. @defaultValue 30 */
  readonly moves?: number;
}

/** Milliseconds that the clients of a node may take to leave it when it is drained. */
const DRAIN_MS = 2_000;
const EACH = 2;
/** Readings of every device before something happens, and after. */
const SOME = 20;
/** What is sent to a client that is away, and to a shared subscription. */
const MAIL = ['1', '2', '3', '4', '5'];
const JOBS = Array.from({ length: 30 }, (_, n) => `${n}`);
/** Milliseconds between two messages to somebody who may not have subscribed yet. */
const AGAIN_MS = 500;
/** Milliseconds after which a client that may go home would be there. */
const LONG_ENOUGH_MS = 3_000;

export function clusterContract({
  name,
  start,
  traits,
  login = {},
  options = {},
  fleet: sessions = 'clean',
  recoverMs = 30_000,
  moves = 30,
}: ClusterUnderTest): void {
  const [version] = traits.versions;
  const plain: IClientOptions = { protocolVersion: version, connectTimeout: 10_000, ...login };
  const ours: FailoverOptions = { protocolVersion: version, ...login, ...options };
  const persistent: FailoverOptions & IClientOptions = {
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 300 } } : {}),
  };
  const follow = value(traits.sessions) === 'move';
  const survive = value(traits.sessionsOfDeadNodes) === 'survive';
  let cluster: BrokerCluster;
  let endpoints: { readonly id: string; readonly url: string }[];

  const node = (index: number) => cluster.nodes[index] as BrokerNode;
  const urls = (indices: readonly number[]) => indices.map((index) => node(index).url);

  /** Everything runs again. */
  async function heal(): Promise<void> {
    for (const each of cluster.nodes) each.thaw();
    await Promise.all(cluster.nodes.map((each) => each.start()));
  }

  /** Plain MQTT.js at a node, for the length of a block. */
  async function plainAt(index: number, more: IClientOptions = {}): Promise<MqttClient & AsyncDisposable> {
    const client = await mqtt.connectAsync(node(index).url, { ...plain, ...more });
    client.on('error', () => {});
    return Object.assign(client, {
      [Symbol.asyncDispose]: () => client.endAsync(!client.connected),
    });
  }

  /**
   * A client of ours that remembers what it hears, for the length of a block. It dials one endpoint after the other: a
   * test that is held up for a moment must not find it at the second, from which it would go home and hear things twice.
   */
  function listener(more: FailoverOptions, brokers: BrokersInput = endpoints) {
    const client = connect(brokers, { ...HASTE, dial: { race: 1 }, ...ours, ...more });
    const heard: string[] = [];
    client.on('error', () => {});
    client.on('message', (_topic, payload) => heard.push(payload.toString()));
    return { client, heard, [Symbol.asyncDispose]: () => client.endAsync(!client.connected) };
  }

  /** What a persistent client hears at another node, of mail that came while it was away and something happened. */
  async function afterAnAbsence(publisher: MqttClient, something: () => Promise<void>): Promise<string[]> {
    const clientId = fresh('sleeper');
    {
      await using before = listener({ ...persistent, selection: 'ordered', clientId });
      await before.client.subscribeAsync('mail', { qos: 1 });
      assert.equal(before.client.status().current, 'n1');
      await pause(traits.tellsApartMs?.is ?? 0);
    }
    for (const letter of MAIL) await publisher.publishAsync('mail', letter, { qos: 1 });
    await something();
    await using later = listener({ ...persistent, selection: 'ordered', clientId }, endpoints.slice(1));
    await later.client.subscribeAsync('fence', { qos: 1 });
    const fence = setInterval(() => publisher.publish('fence', 'fence', { qos: 1 }), AGAIN_MS);
    try {
      await until(() => later.heard.includes('fence'), { what: 'the fence', timeoutMs: recoverMs });
    } finally {
      clearInterval(fence);
    }
    return later.heard.filter((letter) => letter !== 'fence');
  }

  /** A fleet of which every node is the home of equally many, under traffic, with subscribers at `watched`. */
  async function fleet(watched: readonly number[], brokers: BrokersInput = endpoints) {
    // Subscribers whose own nodes die hear what came meanwhile, if the cluster keeps it for them.
    const audit = await Audit.at(urls(watched), plain, survive ? fresh('audit') : undefined);
    const devices = idsByHome(endpoints, EACH).map((id) => {
      return new Device(id, brokers, {
        ...ours,
        ...(value(sessions) === 'persistent' ? persistent : {}),
        discovery: { refreshMs: 1_000 },
      });
    });
    const end = async () => {
      // One that hangs would not even let go.
      for (const each of cluster.nodes) each.thaw();
      await Promise.all(devices.map((device) => device.end()));
      await audit[Symbol.asyncDispose]();
    };
    try {
      await allHome(devices, recoverMs);
      for (const device of devices) device.start();
      await more(devices, SOME);
    } catch (error) {
      await end();
      throw error;
    }
    return { audit, devices, [Symbol.asyncDispose]: end };
  }

  /** Waits for so many more acknowledgements of each. */
  async function more(devices: readonly Device[], count: number): Promise<void> {
    const goals = devices.map(({ acknowledged }) => acknowledged.length + count);
    const slow = () => devices.filter(({ acknowledged }, n) => acknowledged.length < (goals[n] as number));
    await until(() => slow().length === 0, {
      timeoutMs: recoverMs,
      what: () =>
        `acknowledgements of ${slow().map(({ id, client }) => `${id} ${JSON.stringify(client.status())}`)}`,
    });
  }

  /** What every story with a fleet ends with. `mayBeLost` tells of the readings that the cluster is excused for. */
  async function happyEnd(
    { devices, audit }: { devices: readonly Device[]; audit: Audit },
    t: TestContext,
    mayBeLost: (by: string | null) => boolean = () => false,
    withinMs = recoverMs,
  ): Promise<void> {
    await settled(devices, withinMs);
    await allHome(devices, withinMs + 10_000);
    const missing = () =>
      devices.flatMap((device) =>
        audit.missing(device).map(({ reading, by }) => ({ id: device.id, reading, by })),
      );
    const owed = () => missing().filter(({ by }) => !mayBeLost(by));
    await until(() => owed().length === 0, {
      what: () => `acknowledged readings: ${JSON.stringify(owed().slice(0, 20))}`,
      // A cluster that heals hands on late.
      timeoutMs: withinMs,
    });
    await reachAll(devices, 2);
    for (const device of devices) device.assertPromises();
    const published = devices.reduce((sum, each) => sum + each.published, 0);
    const offline = devices.flatMap(({ failovers }) =>
      failovers.map(({ offlineMs }) => Math.round(offlineMs)),
    );
    const copies = devices.reduce((sum, each) => sum + audit.copies(each), 0);
    const conflicts = devices.flatMap((each) => each.conflicts).length;
    t.diagnostic(
      `${published} published, ${missing().length} lost by the cluster, ${copies} came twice; ${offline.length} fail-overs, offline for ${offline.sort((a, b) => a - b).join(', ')} ms; ${audit.wills.length} wills seen, ${conflicts} conflicts`,
    );
  }

  /** Devices hear commands, wherever they are; whoever has lost a subscription is deaf for ever. */
  async function reachAll(devices: readonly Device[], index: number): Promise<void> {
    await using control = await plainAt(index);
    for (const device of devices) device.commands.length = 0;
    const deaf = () => devices.filter(({ commands }) => commands.length === 0);
    const command = () => {
      for (const device of deaf()) control.publish(device.commandTopic, 'go', { qos: 1 });
    };
    command();
    const again = setInterval(command, AGAIN_MS);
    try {
      await until(() => deaf().length === 0, {
        what: () => `${deaf().map(({ id }) => id)} to hear`,
        timeoutMs: recoverMs,
      });
    } finally {
      clearInterval(again);
    }
  }

  describe(name, () => {
    before(async () => {
      cluster = await start();
      endpoints = cluster.nodes.map(({ url }, n) => ({ id: `n${n + 1}`, url }));
    });
    after(async () => {
      await cluster?.[Symbol.asyncDispose]();
    });

    for (const protocolVersion of traits.versions) {
      for (const transport of ['url', 'wsUrl'] as const) {
        it(`speaks MQTT ${protocolVersion} over ${transport === 'url' ? 'TCP' : 'WebSocket'}, from node to node`, async () => {
          const client = connect(
            cluster.nodes.map((each) => each[transport]),
            { ...ours, protocolVersion, clientId: 'speaker' },
          );
          try {
            // A client that goes home meanwhile may hear a message at both nodes.
            const heard = new Set<string>();
            client.on('message', (topic, payload) => heard.add(`${topic} ${payload}`));
            await client.subscribeAsync('speech/#', { qos: 1 });
            await Promise.all(
              cluster.nodes.map(async (_, n) => {
                await using other = await plainAt(n);
                await other.publishAsync(`speech/${n}`, 'hello', { qos: 1 });
              }),
            );
            await until(() => heard.size === cluster.nodes.length, {
              what: () => `the rest of ${[...heard]}`,
            });
            assert.deepEqual([...heard].sort(), ['speech/0 hello', 'speech/1 hello', 'speech/2 hello']);
          } finally {
            await client.endAsync();
          }
        });
      }
    }

    for (const [refused, expected] of Object.entries(traits.refuses ?? {})) {
      it(`refuses MQTT ${refused}, and the client says so: ${expected.because}`, async () => {
        const client = connect(endpoints, {
          ...ours,
          protocolVersion: Number(refused) as 5,
          clientId: 'modern',
        });
        try {
          const [error] = await once<[{ code: string; cause: AggregateError }]>(client, 'error', recoverMs);
          const codes = error.cause.errors.map(({ code }) => code);
          assert.deepEqual([error.code, codes], ['ERR_ALL_FAILED', endpoints.map(() => expected.is)]);
        } finally {
          await client.endAsync(true);
        }
      });
    }

    it(`has retained messages ${text(traits.retained)}`, async () => {
      await using publisher = await plainAt(0);
      await publisher.publishAsync('retained/a', 'kept', { qos: 1, retain: true });
      /** Whether a client that comes to a node gets it; what it publishes itself tells when it would have it. */
      const has = async (index: number) => {
        await using reader = listener({ clientId: fresh('reader'), failback: { mode: 'off' } }, [
          node(index).url,
        ]);
        // By name: some clusters keep retained messages from subscriptions with wildcards.
        await reader.client.subscribeAsync(['retained/a', 'retained/fence'], { qos: 1 });
        await reader.client.publishAsync('retained/fence', 'fence', { qos: 1 });
        await until(() => reader.heard.includes('fence'), { what: 'the fence' });
        return reader.heard.includes('kept');
      };
      const everywhere = value(traits.retained) === 'everywhere';
      // An acknowledged message is stored a little later.
      for (const index of everywhere ? [0, 1, 2] : [0])
        await until(() => has(index), { what: `the retained message at node ${index}` });
      assert.deepEqual([await has(1), await has(2)], [everywhere, everywhere]);
    });

    it(`has sessions that ${text(traits.sessions)} when the client moves, and the client learns it`, async () => {
      await using publisher = await plainAt(2);
      await using mover = listener({ ...persistent, selection: 'ordered', clientId: fresh('mover') });
      await once(mover.client, 'connect', recoverMs);
      await mover.client.subscribeAsync('news', { qos: 1 });
      const moves = collect<FailoverEvents['move']>(mover.client, 'move');
      const home = collect<FailoverEvents['failback']>(mover.client, 'failback');
      await pause(traits.tellsApartMs?.is ?? 0);
      await mover.client.moveTo('n2');
      // Answered after what was restored.
      await mover.client.subscribeAsync('fence', { qos: 1 });
      await publisher.publishAsync('news', 'live', { qos: 1 });
      await until(() => mover.heard.length > 0, { what: 'a message at the new node' });
      assert.deepEqual([moves.map(({ resumed }) => resumed), mover.heard], [[follow], ['live']]);
      // Where sessions do not follow, a client that wants to keep its own stays with it.
      if (follow) await until(() => home.length > 0, { what: 'the return home', timeoutMs: recoverMs });
      else await pause(LONG_ENOUGH_MS);
      assert.deepEqual(
        home.map(({ to, resumed }) => ({ to, resumed })),
        follow ? [{ to: 'n1', resumed: true }] : [],
      );
    });

    it(`${follow ? 'hands out' : 'cannot hand out'} at another node what came for a client that was away`, async () => {
      await using publisher = await plainAt(2);
      const heard = await afterAnAbsence(publisher, async () => {});
      assert.deepEqual(heard, follow ? MAIL : []);
    });

    it(`has sessions that ${text(traits.sessionsOfDeadNodes)} when their node is killed`, async (t) => {
      try {
        await using publisher = await plainAt(2);
        await using awake = listener({ ...persistent, selection: 'ordered', clientId: fresh('awake') });
        await once(awake.client, 'connect', recoverMs);
        await awake.client.subscribeAsync('news', { qos: 1 });
        const failover = once<[FailoverEvents['failover']]>(awake.client, 'failover', recoverMs);
        const heard = await afterAnAbsence(publisher, () => node(0).kill());
        const [{ resumed }] = await failover;
        // Again or in another order: nobody may expect more of a session whose node died in the middle of it.
        const letters = [...new Set(heard)].sort();
        assert.deepEqual([resumed, letters], [survive, survive ? MAIL : []]);
        t.diagnostic(
          `of ${MAIL.length} letters ${letters.length} came, ${heard.length - letters.length} of them twice`,
        );
        // Whatever became of its session, it hears what it has subscribed to.
        const again = setInterval(() => publisher.publish('news', 'live', { qos: 1 }), AGAIN_MS);
        try {
          await until(() => awake.heard.length > 0, {
            what: 'a message at the new node',
            timeoutMs: recoverMs,
          });
        } finally {
          clearInterval(again);
        }
      } finally {
        await heal();
      }
    });

    it(`gives a message of a shared subscription to ${text(traits.sharedSubscriptions)}`, async () => {
      const crew = [0, 1, 2].map((n) => {
        return listener({ selection: 'ordered', clientId: fresh(`worker-${n}`) }, [
          ...endpoints.slice(n),
          ...endpoints.slice(0, n),
        ]);
      });
      await using control = await plainAt(1);
      let seen = 0;
      control.on('message', () => {
        seen += 1;
      });
      try {
        await control.subscribeAsync('jobs', { qos: 1 });
        const answers = await Promise.allSettled(
          crew.map(({ client }) => client.subscribeAsync('$share/crew/jobs', { qos: 1 })),
        );
        const codes = answers.map((each) => (each.status === 'rejected' ? each.reason.code : 'granted'));
        const kind = value(traits.sharedSubscriptions);
        assert.deepEqual(
          codes,
          crew.map(() => (kind === 'refused' ? 'ERR_UNSUPPORTED' : 'granted')),
        );
        for (const job of JOBS) await control.publishAsync('jobs', job, { qos: 1 });
        const due =
          JOBS.length * { 'one member': 1, 'one member at each node': 3, refused: 0, nobody: 0 }[kind];
        const done = () => crew.flatMap(({ heard }) => heard);
        await until(() => seen === JOBS.length && done().length >= due, {
          what: () => `${due} jobs to be done; ${done().length} are, ${seen} were seen`,
        });
        assert.equal(done().length, due);
        for (const { heard } of crew) assert.deepEqual(heard, [...new Set(heard)]);
      } finally {
        for (const each of crew) await each[Symbol.asyncDispose]();
      }
    });

    it('planned moves under load cost nothing', async (t) => {
      await using audit = await Audit.at(urls([0, 1, 2]), plain);
      const id = `nomad-${name.length}`;
      const device = new Device(id, endpoints, { ...ours, failback: { mode: 'off' } });
      try {
        await once(device.client, 'connect', recoverMs);
        device.start(1);
        const ids = device.client.status().endpoints.map((each) => each.id);
        for (let n = 1; n <= moves; n += 1) await device.client.moveTo(`${ids[n % 3]}`);
        await device.client.moveTo(`${ids[1]}`);
        await device.client.rebalance();
        await settled([device], recoverMs);
        assert.ok(device.isHome);
        await until(() => audit.missing(device).length === 0, {
          what: () => JSON.stringify(audit.missing(device)),
        });
        device.assertPromises();
        assert.deepEqual(
          [device.moves.length, device.failovers, audit.wills, audit.copies(device)],
          [moves + 2, [], [], 0],
        );
        const gaps = device.moves.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
        t.diagnostic(
          `${device.published} published, ${audit.copies(device)} came twice; gap p50 ${gaps[gaps.length / 2]?.toFixed(1)} ms, max ${gaps.at(-1)?.toFixed(1)} ms`,
        );
      } finally {
        await device.end();
      }
    });

    it('a killed node costs nothing that was acknowledged, and everybody is home when it is back', async (t) => {
      try {
        await using story = await fleet([1, 2]);
        const { devices } = story;
        const victims = devices.slice(0, EACH);
        await node(0).kill();
        await until(() => victims.every(({ failovers }) => failovers.length > 0), {
          what: 'the fail-overs',
          timeoutMs: recoverMs,
        });
        await more(devices, SOME);
        await reachAll(devices, 1);
        await node(0).start();
        await happyEnd(story, t, (by) => value(traits.acknowledged) !== 'kept' && by === 'n1');
      } finally {
        await heal();
      }
    });

    it('a node that hangs is left, and everybody is home when it wakes up', async (t) => {
      try {
        await using story = await fleet([0, 2]);
        const { devices } = story;
        const victims = devices.slice(EACH, 2 * EACH);
        node(1).freeze();
        const frozenAt = performance.now();
        await until(
          () => victims.every(({ client }) => !client.connected || client.status().current !== 'n2'),
          {
            what: 'the victims to leave',
            timeoutMs: recoverMs,
          },
        );
        t.diagnostic(`left after ${Math.round(performance.now() - frozenAt)} ms`);
        if (value(traits.whileOneHangs) === 'others serve') {
          await until(() => victims.every(({ failovers }) => failovers.length > 0), {
            what: 'the fail-overs',
            timeoutMs: recoverMs,
          });
          await more(devices, SOME);
        }
        node(1).thaw();
        await happyEnd(story, t);
      } finally {
        await heal();
      }
    });

    it('a node that is drained loses its clients by planned moves, before it is restarted', async (t) => {
      let word: Pick<BrokerSpec, 'state' | 'drainBy'> = {};
      const list = async () => endpoints.map((each) => (each.id === 'n3' ? { ...each, ...word } : each));
      try {
        await using story = await fleet([0, 1], list);
        const { devices, audit } = story;
        const leaving = devices.slice(2 * EACH);
        const drainBy = Date.now() + DRAIN_MS;
        word = { state: 'draining', drainBy };
        await until(() => leaving.every(({ moves }) => moves.length > 0), {
          what: 'moves',
          timeoutMs: recoverMs,
        });
        // The node gets its time: one that has not read a DISCONNECT yet would send the will of who has left.
        await pause(Math.max(0, drainBy - Date.now()));
        await node(2).kill('SIGTERM');
        await more(devices, SOME);
        await node(2).start();
        word = {};
        await happyEnd(story, t);
        if (value(traits.others) === 'are left in peace')
          assert.deepEqual(
            devices.flatMap(({ failovers }) => failovers),
            [],
          );
        // A client that was closed later, or left a node that fell silent, is one whose will is due: once.
        assert.deepEqual(
          devices.filter((device) => audit.hasNeedlessWill(device)).map(({ id }) => id),
          [],
        );
      } finally {
        await heal();
      }
    });

    it('a rolling restart loses nothing, and brings everybody home', async (t) => {
      try {
        await using story = await fleet([0, 1, 2]);
        for (const each of cluster.nodes) {
          await each.kill('SIGTERM');
          await more(story.devices, SOME);
          await each.start();
          await more(story.devices, SOME);
        }
        await happyEnd(story, t);
      } finally {
        await heal();
      }
    });

    it(`the last of its nodes ${text(traits.lastNode)}; when the others are back, nothing is lost`, async (t) => {
      try {
        await using story = await fleet([0]);
        const { devices } = story;
        await Promise.all([node(1).kill(), node(2).kill()]);
        if (value(traits.lastNode) === 'serves') {
          await until(() => devices.every(({ client }) => client.status().current === 'n1'), {
            what: 'everybody to be at the last node',
            timeoutMs: recoverMs,
          });
          await more(devices, SOME);
        } else {
          await until(() => devices.every(({ client }) => !client.connected), {
            what: 'everybody to be offline',
            timeoutMs: recoverMs,
          });
          const isThere = await accepts(Number(new URL(node(0).url).port));
          assert.equal(isThere, value(traits.lastNode) === 'is silent');
          await patience(devices);
        }
        const startedAt = performance.now();
        await heal();
        t.diagnostic(`all serve ${((performance.now() - startedAt) / 1_000).toFixed(1)} s after their start`);
        const mayBeLost = (by: string | null) => value(traits.acknowledged) !== 'kept' && by !== 'n1';
        await happyEnd(story, t, mayBeLost, traits.returnsMs?.is);
      } finally {
        await heal();
      }
    });
  });
}

/** Nobody serves: publishes wait, and none is given up. */
async function patience(devices: readonly Device[]): Promise<void> {
  const goals = devices.map(({ published }) => published + SOME);
  await until(() => devices.every(({ published }, n) => published >= (goals[n] as number)), {
    what: 'more readings',
  });
  assert.ok(devices.every(({ unsettled }) => unsettled >= SOME));
  assert.deepEqual(
    devices.flatMap(({ rejected }) => rejected),
    [],
  );
}

let made = 0;
/** A client id that no cluster remembers from an earlier test. */
function fresh(name: string): string {
  made += 1;
  return `${name}-${made}`;
}

function value<T extends string>(trait: T | Because<T>): T {
  return typeof trait === 'string' ? trait : trait.is;
}

function text<T extends string>(trait: T | Because<T>): string {
  return typeof trait === 'string' ? trait : `${trait.is} (${trait.because})`;
}

/**
 * An hour in the life of one client id, in a cluster where anything may happen next, the same for the same seed.
 *
 * The client is the real one, with MQTT.js, a registry over a scripted `fetch`, and in some lives a topology topic, an
 * outbox in a store, and kill -9. What is asserted while it runs is in `promises.ts`.
 */
import { createConnector } from '../../../src/connect.js';
import { enginesOf } from '../../../src/di/container.js';
import { nodeTools } from '../../../src/di/tools-node.js';
import { DialBudget } from '../../../src/dial/dial-budget.js';
import { type FailoverClient, type FailoverEvents, OUTCOMES } from '../../../src/index.js';
import { clearReconnect } from '../../../src/mqtt/mqttjs-internals.js';
import type { Database } from '../../../src/platform/database.js';
import { nodePlatform } from '../../../src/platform/node.js';
import type { Network, Platform } from '../../../src/platform/ports.js';
import { Mutator } from '../../support/fuzz.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { MemoryDatabase } from '../../unit/fakes/memory-database.js';
import { OwnedClock } from '../../unit/fakes/owned-clock.js';
import { rest } from '../../unit/fakes/virtual-client.js';
import { ChaosCluster, NODES } from './cluster.js';
import { DOMAIN, Promises } from './promises.js';

const TOPIC = 'cluster/nodes';
const CONNACK_CODES = { 4: codesOf('connack-v3'), 5: codesOf('connack') } as const;
const DISCONNECT_CODES = codesOf('disconnect');
const SOCKET_CODES = OUTCOMES.filter(({ kind }) => kind === 'socket').map(({ code }) => String(code));
const PUBLISH_REFUSALS = [0x80, 0x83, 0x87, 0x91, 0x97, 0x99];

function codesOf(kind: string): number[] {
  return OUTCOMES.filter((row) => row.kind === kind && row.code !== 0).map(({ code }) => Number(code));
}

/** What the registry answers. */
type Listing = object | 'fails' | 'hangs' | 'hostile' | 'not JSON';

/** One process with one client. */
interface Process {
  readonly client: FailoverClient;
  readonly own: OwnedClock;
  readonly database: MemoryDatabase | undefined;
}

export class Hour {
  readonly clock = new VirtualClock();
  readonly cluster: ChaosCluster;
  readonly promises: Promises;
  readonly protocolVersion: 4 | 5;
  readonly clean: boolean;
  /** What happened, for people. */
  readonly story: string[] = [];
  readonly clientId: string;
  /** Processes so far, the first included. */
  processes = 0;
  readonly #mutator: Mutator;
  readonly #random: SeededRandom;
  readonly #isShared: boolean;
  readonly #hasTopic: boolean;
  readonly #hasStore: boolean;
  readonly #disk = new MemoryDatabase();
  readonly #texts = new Map<string, string>();
  #process: Process;
  #listing: Listing = documentOf(NODES, 1);
  #revision = 1;
  readonly #dead: FailoverClient[] = [];
  #isHealed = false;
  /** Processes and documents of the topic for which code was loaded. */
  #loaded = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#mutator = new Mutator(seed);
    this.clientId = `client-${seed}`;
    this.protocolVersion = this.#chance(0.6) ? 5 : 4;
    this.clean = this.#chance(0.6);
    this.#isShared = this.#chance(0.5);
    this.#hasTopic = this.#chance(0.4);
    this.#hasStore = this.#chance(0.5);
    this.promises = new Promises(this.clock);
    this.cluster = new ChaosCluster(this.clock, this.#random, this.#isShared, this.promises);
    this.promises.watch(this.cluster);
    if (this.#hasTopic) this.cluster.topology = { topic: TOPIC, payload: '' };
    this.#process = this.#launch();
  }

  get client(): FailoverClient {
    return this.#process.client;
  }

  get own(): OwnedClock {
    return this.#process.own;
  }

  note(text: string): void {
    this.story.push(`${Math.round(this.clock.now() - 1_000_000)} ${text}`);
  }

  /** Lets `ms` pass, with all that Node does between two timers. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms, async () => {
      await rest(1);
      const { told } = this.cluster;
      if (this.#loaded === this.processes + told) return;
      this.#loaded = this.processes + told;
      // Code that is loaded when it is used comes in real time, and in the order of the questions for it.
      await import('../../../src/discovery/registry/create-registry-resolver.js');
      await import('../../../src/discovery/registry/read-topology.js');
      await rest(2);
    });
  }

  /** One event, and some time. */
  async step(): Promise<void> {
    this.#mutator.inputs.length = 0;
    this.#pick(EVENTS)(this);
    for (let publishes = this.#below(3); publishes > 0; publishes -= 1) this.publish();
    if (this.client.status().state === 'failed' && this.#chance(0.2)) this.#ask('reconnect');
    await this.pass(this.#pick([0, 20, 300, 2_000, 10_000, 10_000, 30_000]) * (0.5 + this.#random.next()));
  }

  /** From now on all is well, also for those that were given up: their entries are new. */
  heal(): void {
    this.note('all is well from now on');
    this.#isHealed = true;
    for (const id of NODES) this.cluster.heal(id);
    this.#list(documentOf(NODES, this.#nextRevision(), '/new'));
  }

  /** Ends what is left of all processes: MQTT.js has timers of its own. */
  async dispose(): Promise<void> {
    this.client.end(true);
    await rest();
    for (const client of this.#dead) {
      clearReconnect(client);
      clearTimeout((client as unknown as { connackTimer?: NodeJS.Timeout }).connackTimer);
    }
  }

  /** `reconnect`, as an operator would of a client that waits to be asked. */
  revive(): void {
    if (this.client.status().state === 'failed') this.#ask('reconnect');
  }

  publish(): void {
    const qos = this.#pick([0, 1, 1, 1, 2, 2] as const);
    const topic = `readings/${this.#below(3)}`;
    const publish = this.promises.accepts(topic, qos);
    const { payload } = publish;
    const stored = (error?: Error) => this.promises.stored(publish, error);
    const options = { qos, ...(qos > 0 ? { cbStorePut: stored } : {}) };
    this.client.publish(topic, payload, options, (error) => this.promises.settled(publish, error));
  }

  subscribe(): void {
    const filter = `commands/${this.#below(4)}`;
    if (this.#chance(0.7)) this.client.subscribe(filter, { qos: 1 }, () => {});
    else this.client.unsubscribe(filter, () => {});
  }

  crash(): void {
    const id = this.#pick(NODES);
    const forgets = this.#chance(0.5);
    this.note(`${id} crashes${forgets ? ' and forgets' : ''}`);
    this.cluster.crash(id, forgets);
  }

  freeze(): void {
    const id = this.#pick(NODES);
    this.note(`${id} hangs`);
    this.cluster.freeze(id);
  }

  healOne(): void {
    const id = this.#pick(NODES);
    this.note(`${id} is well`);
    this.cluster.heal(id);
  }

  swallow(): void {
    const id = this.#pick(NODES);
    this.note(`${id} swallows SYNs`);
    this.cluster.change(id, { dial: 'hang' });
  }

  failDials(): void {
    const [id, code] = [this.#pick(NODES), this.#pick(SOCKET_CODES)];
    this.note(`dials of ${id}: ${code}`);
    this.cluster.change(id, { dial: Object.assign(new Error(code), { code }) });
  }

  refuse(): void {
    const id = this.#pick(NODES);
    const code = this.#pick(CONNACK_CODES[this.protocolVersion]);
    const serverReference = this.#reference();
    this.note(`${id} refuses with 0x${code.toString(16)}, ${serverReference}`);
    this.cluster.change(id, { refusal: { code, serverReference } });
  }

  slowDown(): void {
    const [id, connackMs] = [this.#pick(NODES), this.#below(15_000)];
    this.note(`CONNACK of ${id} takes ${connackMs} ms`);
    this.cluster.change(id, { connackMs, properties: { receiveMaximum: 1 + this.#below(5) } });
  }

  refusePublishes(): void {
    const id = this.#pick(NODES);
    const ackCode = this.#chance(0.5) ? this.#pick(PUBLISH_REFUSALS) : 0;
    const refusesFilters = this.#chance(0.5);
    this.note(`${id} answers PUBLISH with ${ackCode}${refusesFilters ? ', and refuses filters' : ''}`);
    this.cluster.change(id, { ackCode, refusesFilters });
  }

  loseSessions(): void {
    const id = this.#pick(NODES);
    this.note(`${id} has lost its sessions`);
    this.cluster.forgetSessions(id);
  }

  outage(): void {
    this.note('every node crashes');
    for (const id of NODES) this.cluster.crash(id, true);
  }

  healAll(): void {
    this.note('every node is well');
    for (const id of NODES) this.cluster.heal(id);
  }

  breakLink(): void {
    const open = [...this.cluster.network.openTransports];
    if (open.length === 0) return;
    const transport = this.#pick(open);
    const how = this.#pick(['end', 'error', 'garbage', 'disconnect', 'disconnect'] as const);
    this.note(`${transport.id} breaks: ${how}`);
    const code = this.#pick(SOCKET_CODES);
    if (how === 'end') transport.hangUp();
    else if (how === 'error') transport.hangUp(Object.assign(new Error(code), { code }));
    else if (how === 'garbage') transport.sendRaw(Buffer.from(this.#mutator.bytes(GARBAGE)));
    else {
      const reasonCode = this.#pick(DISCONNECT_CODES);
      const properties = { serverReference: this.#reference() };
      if (this.protocolVersion === 5) transport.send({ cmd: 'disconnect', reasonCode, properties });
      if (this.#chance(0.8)) transport.hangUp();
    }
  }

  /** A node says something to the client. */
  speak(): void {
    const open = [...this.cluster.network.openTransports].filter(({ connected }) => connected);
    if (open.length === 0) return;
    const qos = this.#pick([0, 1, 2] as const);
    const packet = {
      cmd: 'publish',
      topic: 'commands/0',
      payload: 'go',
      qos,
      dup: false,
      retain: false,
    } as const;
    this.cluster.tell(this.#pick(open), {
      ...packet,
      ...(qos > 0 ? { messageId: 1 + this.#below(100) } : {}),
    });
  }

  changeList(): void {
    const some = NODES.filter(() => this.#chance(0.7));
    const states = Object.fromEntries(
      some.map((id) => [id, this.#pick(['up', 'up', 'up', 'draining', 'down'])]),
    );
    const listing = this.#pick([
      documentOf(some, this.#nextRevision(), '', states),
      documentOf(NODES, this.#nextRevision()),
      documentOf(NODES, this.#nextRevision(), this.#pick(['', '/other'])),
      'fails',
      'hangs',
      'hostile',
      'not JSON',
    ] as const);
    this.note(`the list: ${typeof listing === 'string' ? listing : JSON.stringify(states)}`);
    this.#list(listing);
  }

  jump(): void {
    const ms = this.#random.next() * this.#pick([10_000, 600_000]);
    if (this.#chance(0.6)) {
      this.note(`asleep for ${Math.round(ms)} ms`);
      this.promises.slept();
      this.clock.sleep(ms);
    } else {
      this.note('the wall clock is set');
      this.clock.shiftWall(this.#chance(0.5) ? ms * 1_000 : -ms * 1_000);
    }
  }

  command(): void {
    this.#ask(this.#pick(['reconnect', 'moveTo', 'rebalance'] as const));
  }

  /** kill -9, and a new process with the same id and disk. Without a store what waited is lost, and known to be. */
  kill(): void {
    if (!this.#hasStore) return;
    this.note('kill -9');
    const { own, database } = this.#process;
    own.kill();
    this.#dead.push(this.#process.client);
    if (database) database.writeError = new Error('the process is gone');
    this.promises.died();
    for (const transport of [...this.cluster.network.openTransports]) transport.destroy();
    this.#process = this.#launch();
  }

  #ask(name: 'reconnect' | 'moveTo' | 'rebalance'): void {
    this.note(`${name}()`);
    this.promises.provoked();
    if (name === 'reconnect') this.client.reconnect();
    else if (name === 'moveTo') this.client.moveTo(this.#pick(NODES)).catch(() => {});
    else this.client.rebalance().catch(() => {});
  }

  #list(listing: Listing): void {
    this.#listing = listing;
    const { topology, network } = this.cluster;
    if (!topology || (!this.#isHealed && this.#chance(0.5))) return;
    topology.payload = listing === 'hostile' ? JSON.stringify(hostile(this.#revision)) : textOf(listing);
    for (const transport of network.openTransports) this.cluster.publishTopology(transport);
  }

  #nextRevision(): number {
    this.#revision += 1;
    return this.#revision;
  }

  /** Where a broker sends us: into the list, around it, or away. */
  #reference(): string {
    const node = this.#pick(NODES);
    return this.#pick([
      `${node}.${DOMAIN}`,
      `${node}.${DOMAIN}:1883`,
      `${node}.evil.test`,
      '169.254.169.254:80',
      '',
    ]);
  }

  #launch(): Process {
    this.processes += 1;
    const own = new OwnedClock(this.clock);
    const database = this.#hasStore ? this.#disk.reopened() : undefined;
    const platform: Platform = {
      ...nodePlatform,
      clock: own,
      random: this.#random,
      network: mortal(this.cluster.network, own),
      fetch: this.promises.asked((url, init) => this.#registry(url, init)),
      openTextStore: () => ({
        read: async (key) => this.#texts.get(key),
        write: async (key, text) => void this.#texts.set(key, text),
      }),
    };
    const { connect } = createConnector({
      platform,
      makeEngine: enginesOf(platform, { ...nodeTools, dialBudget: new DialBudget() }),
      defaults: { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 },
    });
    const client = connect(`registry+https://registry.${DOMAIN}/nodes.json`, {
      clientId: this.clientId,
      protocolVersion: this.protocolVersion,
      clean: this.clean,
      username: 'device',
      password: 'secret',
      timerVariant: own.intervals() as never,
      ...(this.protocolVersion === 5 && !this.clean ? { properties: { sessionExpiryInterval: 86_400 } } : {}),
      discovery: { lastKnownGood: 'lkg', ...(this.#hasTopic ? { topic: TOPIC } : {}) },
      failback: { healthyMs: 20_000, windowMs: 10_000, dwellMs: 30_000 },
      ...(database ? { outbox: { store: database as Database } } : {}),
    });
    const isAlive = () => this.#process === undefined || this.#process.client === client;
    client.on('state', (change: FailoverEvents['state']) => {
      if (!isAlive()) return;
      this.note(`${change.from} → ${change.to}: ${change.reason}`);
      this.promises.changed(change);
    });
    client.on('dropped', ({ topic, qos }) => isAlive() && this.promises.dropped(topic, qos));
    client.on('error', (error) => isAlive() && this.promises.failed(error as Error));
    return { client, own, database };
  }

  async #registry(_url: string, init: RequestInit = {}): Promise<Response> {
    const listing = this.#listing;
    if (listing === 'fails') throw new TypeError('fetch failed');
    if (listing === 'hangs')
      return new Promise((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const text = listing === 'hostile' ? JSON.stringify(hostile(this.#revision)) : textOf(listing);
    const type = listing === 'not JSON' ? 'text/html' : 'application/json';
    return answerOf(text, type);
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }
}

/** The network as a process has it: once that is gone, nothing is opened in its name. */
function mortal(network: Network, own: OwnedClock): Network {
  return {
    schemes: network.schemes,
    open: async (target, signal) => {
      const transport = await network.open(target, signal);
      if (own.isDead) transport.destroy();
      return transport;
    },
  };
}

function documentOf(
  ids: readonly string[],
  revision: number,
  path = '',
  states: Readonly<Record<string, string | undefined>> = {},
): object {
  const nodes = ids.map((id) => ({
    id,
    urls: [`wss://${id}.${DOMAIN}${path}`],
    ...(states[id] === undefined ? {} : { state: states[id] }),
  }));
  return { schema: 'mqtt-nodes/1', revision: String(revision), nodes };
}

/** A document of somebody who wants our credentials. */
function hostile(revision: number): object {
  const urls = [
    'mqtts://a.evil.test',
    'mqtt://a.cluster.test',
    'ws://b.cluster.test',
    'wss://cluster.test.evil.test',
    'mqtts://169.254.169.254:8883',
    'wss://xcluster.test',
    'mqtts://[::1]',
  ];
  const nodes = urls.map((url, n) => ({ id: `${n % 2 === 0 ? NODES[n % 5] : `evil-${n}`}`, urls: [url] }));
  const distinct = nodes.filter(({ id }, n) => nodes.findIndex((each) => each.id === id) === n);
  return { schema: 'mqtt-nodes/1', revision: `h${revision}`, nodes: distinct };
}

function textOf(listing: Listing): string {
  return typeof listing === 'string' ? '<html>please sign in</html>' : JSON.stringify(listing);
}

/** An answer whose body comes without a turn of the real event loop, as virtual time does not wait for one. */
function answerOf(text: string, type: string): Response {
  const pieces = [new TextEncoder().encode(text)];
  const cancel = async () => {};
  const read = async () => {
    const value = pieces.shift();
    return { value, done: value === undefined };
  };
  const answer = { ok: true, status: 200, headers: new Headers({ 'content-type': type }) };
  return { ...answer, body: { getReader: () => ({ read, cancel }), cancel } } as unknown as Response;
}

const GARBAGE = [
  Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  Buffer.of(0x62, 0x00),
  Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f),
  Buffer.of(0x40, 0x02, 0x00, 0x01, 0x50, 0x02, 0x00, 0x01),
  Buffer.of(0x20, 0x03, 0x00, 0x00, 0x00),
];

/** Each as often as it stands here. */
const EVENTS: readonly ((hour: Hour) => void)[] = [
  (hour) => hour.crash(),
  (hour) => hour.crash(),
  (hour) => hour.freeze(),
  (hour) => hour.freeze(),
  (hour) => hour.swallow(),
  (hour) => hour.failDials(),
  (hour) => hour.refuse(),
  (hour) => hour.slowDown(),
  (hour) => hour.refusePublishes(),
  (hour) => hour.loseSessions(),
  (hour) => hour.outage(),
  ...Array.from({ length: 9 }, () => (hour: Hour) => hour.healOne()),
  (hour) => hour.healAll(),
  (hour) => hour.breakLink(),
  (hour) => hour.breakLink(),
  (hour) => hour.breakLink(),
  (hour) => hour.speak(),
  (hour) => hour.changeList(),
  (hour) => hour.changeList(),
  (hour) => hour.jump(),
  (hour) => hour.subscribe(),
  (hour) => hour.command(),
  (hour) => hour.kill(),
];

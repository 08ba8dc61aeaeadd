/** Who runs the brokers of the fleet page: obeys the visitor's buttons, and keeps the registry's list. */
import { WebBroker, type WebBrokerSettings } from './broker.js';

/** What a visitor can do to a broker. */
export const VERBS = ['kill', 'hang', 'resume', 'drain', 'start'] as const;
export type Verb = (typeof VERBS)[number];

/** What a broker is, as the page shows it. */
export type Condition = 'up' | 'hung' | 'draining' | 'dead';

/** More would not fit on a phone. */
export const MAX_BROKERS = 6;
/** Milliseconds after which a registry that checks its nodes finds out; the clients must be quicker by themselves. */
const CHECKS_NOTICE_MS = 5_000;
/** Milliseconds that clients get to leave a draining broker. */
const DRAIN_MS = 4_000;

/** A wish that cannot be granted now; the message is for the visitor. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Post {
  readonly broker: WebBroker;
  /** Milliseconds since 1970. */
  drainBy: number | undefined;
  /** When it stopped answering, in milliseconds since 1970. */
  silentSince: number | undefined;
}

/** All brokers, in the order in which they joined. */
export class Operator {
  readonly #posts: Post[] = [];
  readonly #settings: WebBrokerSettings;
  /** One thing at a time: a port must be free before it is taken again. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(settings: WebBrokerSettings) {
    this.#settings = settings;
  }

  /** Starts one more broker and puts it on the list. @throws {@link Refusal} when there are {@link MAX_BROKERS}. */
  add(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#posts.length >= MAX_BROKERS)
        throw new Refusal(409, `there are ${MAX_BROKERS} brokers already`);
      const broker = new WebBroker(`n${this.#posts.length + 1}`, this.#settings);
      await broker.start();
      this.#posts.push({ broker, drainBy: undefined, silentSince: undefined });
    });
  }

  /** Does it, and resolves when it is done. @throws {@link Refusal} when it makes no sense now, or nobody has that id. */
  obey(id: string, verb: Verb): Promise<void> {
    return this.#inTurn(async () => {
      const post = this.#posts.find(({ broker }) => broker.id === id);
      if (!post) throw new Refusal(404, `there is no broker ${id}`);
      const now = condition(post);
      if (!POSSIBLE[verb].includes(now)) throw new Refusal(409, `cannot ${verb} ${id}: it is ${now}`);
      await ACTIONS[verb](post);
    });
  }

  /** For the page. */
  brokers(): { id: string; condition: Condition; listed: 'up' | 'draining' | 'down' }[] {
    return this.#posts.map((post) => ({
      id: post.broker.id,
      condition: condition(post),
      listed: listing(post),
    }));
  }

  /** The registry's document (docs/discovery-registry.md). */
  document(): object {
    return {
      schema: 'mqtt-nodes/1',
      nodes: this.#posts.map((post) => ({
        id: post.broker.id,
        urls: [post.broker.url],
        state: listing(post),
        ...(post.drainBy === undefined ? {} : { drainBy: new Date(post.drainBy).toISOString() }),
      })),
    };
  }

  async stop(): Promise<void> {
    await this.#inTurn(() => Promise.all(this.#posts.map(({ broker }) => broker.kill())));
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => {});
    return done;
  }
}

const POSSIBLE: Readonly<Record<Verb, readonly Condition[]>> = {
  kill: ['up', 'hung', 'draining'],
  hang: ['up', 'draining'],
  resume: ['hung'],
  drain: ['up'],
  start: ['dead', 'draining'],
};

const ACTIONS: Readonly<Record<Verb, (post: Post) => Promise<void> | void>> = {
  kill: async (post) => {
    post.silentSince ??= Date.now();
    await post.broker.kill();
  },
  hang: (post) => {
    post.silentSince = Date.now();
    post.broker.hang();
  },
  resume: (post) => {
    post.silentSince = undefined;
    post.broker.resume();
  },
  drain: (post) => {
    post.drainBy = Date.now() + DRAIN_MS;
  },
  start: async (post) => {
    post.silentSince = undefined;
    post.drainBy = undefined;
    if (!post.broker.isRunning) await post.broker.start();
  },
};

function condition({ broker, drainBy }: Post): Condition {
  if (!broker.isRunning) return 'dead';
  if (broker.isHung) return 'hung';
  return drainBy === undefined ? 'up' : 'draining';
}

/** What the registry believes: it is told of a drain, and finds out about the rest by its checks. */
function listing({ drainBy, silentSince }: Post): 'up' | 'draining' | 'down' {
  if (silentSince !== undefined && Date.now() - silentSince > CHECKS_NOTICE_MS) return 'down';
  return drainBy === undefined ? 'up' : 'draining';
}

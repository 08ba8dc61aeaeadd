/** Where the story plays: the brokers, the fleet, the books, and the words for what happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Node } from './cluster.js';
import { Fleet, type FleetClient } from './fleet.js';
import { Tally } from './tally.js';

/** One line for the audience. */
export interface News {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly kind: 'act' | 'bad' | 'good' | 'info';
  readonly text: string;
}

/** What has become of a client's messages by now is said at the latest after this many milliseconds. */
const VERDICT_MS = 5_000;

export class Stage {
  readonly tally = new Tally();
  readonly cluster: Cluster;
  readonly fleet: Fleet;
  /** Everything said so far. */
  readonly news: News[] = [];
  act = { number: 0, of: 0, title: '' };
  readonly #startedAt = performance.now();
  readonly #onNews: (news: News) => void;
  readonly #pace: number;
  readonly #signal: AbortSignal;
  /** How many clients have heard of a broker, by its name. */
  readonly #known = new Map<string, number>();

  private constructor(cluster: Cluster, fleetOf: (stage: Stage) => Fleet, settings: StageSettings) {
    this.cluster = cluster;
    this.#onNews = settings.onNews;
    this.#pace = settings.pace;
    this.#signal = settings.signal;
    this.fleet = fleetOf(this);
  }

  static async create(settings: StageSettings): Promise<Stage> {
    // The cluster reports to the fleet, which asks the cluster where its nodes are.
    const link: { fleet?: Fleet } = {};
    const cluster = await Cluster.create((_node, topic, payload) => link.fleet?.received(topic, payload));
    return new Stage(
      cluster,
      (stage) => {
        link.fleet = new Fleet(cluster.discover, stage.tally, {
          moved: (client, { from, to, offlineMs }, waited) =>
            void stage.#moved(client, from, to, offlineMs, waited),
          movedByPlan: ({ id }, { from, to, gapMs }) =>
            stage.say(
              'good',
              `${id} moved ${from} → ${to} by plan, ${Math.round(gapMs)} ms between the links`,
            ),
          topology: (_client, { added }) => {
            for (const name of added) stage.#known.set(name, (stage.#known.get(name) ?? 0) + 1);
          },
          failed: ({ id }, error) => stage.say('bad', `${id}: ${error.message}`),
        });
        return link.fleet;
      },
      settings,
    );
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  say(kind: News['kind'], text: string): void {
    const news = { at: this.elapsedMs, kind, text };
    this.news.push(news);
    this.#onNews(news);
  }

  /** Lets the fleet work for so many milliseconds of the story; shorter in a fast one. Throws on Ctrl-C. */
  async wait(ms: number): Promise<void> {
    await sleep(ms * this.#pace, undefined, { signal: this.#signal });
  }

  /** Waits until `condition` holds, or for `timeoutMs`; says whether it does. Throws on Ctrl-C. */
  async until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!condition() && performance.now() < deadline) {
      await sleep(20, undefined, { signal: this.#signal });
    }
    return condition();
  }

  node(name: string): Node {
    const node = this.cluster.nodes.find((each) => each.name === name);
    if (!node) throw new Error(`there is no broker ${name}`);
    return node;
  }

  clientsOn(name: string): FleetClient[] {
    return this.fleet.clients.filter(({ broker }) => broker === name);
  }

  /** How many clients have found the broker `name` in the list. */
  knowing(name: string): number {
    return this.#known.get(name) ?? 0;
  }

  async #moved(client: FleetClient, from: string, to: string, offlineMs: number, waited: number) {
    const what = client.label === 'CR' ? 'commands' : 'readings';
    const moved = `${client.id} moved ${from} → ${to} in ${Math.round(offlineMs)} ms`;
    const sentSoFar =
      client.label === 'CR'
        ? this.tally.commands.arrivedSoFar()
        : this.tally.readings.of(client.id).arrivedSoFar();
    const late = new Promise<false>((resolve) => setTimeout(resolve, VERDICT_MS, false).unref());
    const arrived = await Promise.race([sentSoFar.then(() => true), late]);
    const queued = waited === 0 ? '' : `, ${waited} ${waited === 1 ? what.slice(0, -1) : what} waited`;
    this.say(
      arrived ? 'good' : 'bad',
      `${moved}${queued}, ${arrived ? 'nothing lost' : 'some not there yet'}`,
    );
  }
}

export interface StageSettings {
  readonly onNews: (news: News) => void;
  /** Factor on all waits of the story. */
  readonly pace: number;
  readonly signal: AbortSignal;
}

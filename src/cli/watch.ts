/** `watch`: a line for every change of the list, and of the health of each broker in it. */

import type { Dialer } from '../dial/dialer.js';
import { RacingDialer } from '../dial/racing-dialer.js';
import { Watcher } from '../discovery/watcher.js';
import type { Endpoint } from '../endpoint.js';
import type { EventSink, FailoverEvents } from '../events.js';
import { toIso } from '../platform/calendar.js';
import type { Clock } from '../platform/ports.js';
import type { Arguments } from './arguments.js';
import { type Discovery, discover, discoveryOptions, sessionOptions } from './discovery.js';
import { readList } from './list.js';
import { printable, type Terminal } from './terminal.js';

const DEFAULT_INTERVAL_S = 10;
/** Milliseconds between questions to a source whose answers have no TTL. */
const REFRESH_MS = 10_000;

/** What is told; with `--json` one document a line. */
type WatchEvent =
  | ({ readonly event: 'topology' } & FailoverEvents['topology'])
  | { readonly event: 'health'; readonly endpoint: string; readonly state: Health; readonly reason: string }
  | { readonly event: 'discovery-error'; readonly reason: string };

type Health = 'healthy' | 'unreachable' | 'unusable';

/** Runs `watch`. */
export async function watch(args: Arguments, terminal: Terminal): Promise<number> {
  const { platform } = terminal;
  const { clock, random, network } = platform;
  const { parsed } = readList(args.operand(0), '<list>');
  const intervalS = args.number('interval', { min: 0.1, max: 86_400, integer: false }) ?? DEFAULT_INTERVAL_S;
  const forS = args.number('for', { min: 0.001, max: 2_000_000, integer: false });
  const given = { ...discoveryOptions(args), ...(await sessionOptions(args, terminal)) };
  const discovery = discover(parsed, given, platform);
  const over = new AbortController();
  terminal.signal.addEventListener('abort', () => over.abort());
  if (terminal.signal.aborted) over.abort();
  const timer = forS === undefined ? undefined : clock.setTimeout(() => over.abort(), forS * 1_000);
  const tell = (event: WatchEvent) => void terminal.print(lineOf(event, terminal));
  const watcher = new Watcher({
    resolver: discovery.resolver,
    clock,
    random,
    refreshMs: parsed.kind === 'static' ? undefined : REFRESH_MS,
    events: reporter(tell),
  });
  const dialer = new RacingDialer(network, clock, discovery.options.dial, {
    admit: ({ endpoint }, addresses) => discovery.authorisation.admitted(endpoint, addresses),
  });
  const rounds = new Rounds({ discovery, dialer, clock, tell, signal: over.signal });
  const look = () => rounds.look(watcher.current?.endpoints ?? []);
  // Newcomers need not wait for the next round.
  watcher.onChange(() => void look());
  // Refreshes itself from here on; a failure is told as an event.
  watcher.refresh().catch(() => {});
  while (!over.signal.aborted) {
    await look();
    await pause(clock, intervalS * 1_000, over.signal);
  }
  watcher.stop();
  if (timer) clock.clearTimeout(timer);
  return rounds.anyHealthy ? 0 : 1;
}

/** Hands on what the watcher tells of the list. */
function reporter(tell: (event: WatchEvent) => void): EventSink {
  return {
    emit: (event, payload) => {
      if (event === 'topology') tell({ event, ...(payload as FailoverEvents['topology']) });
      if (event !== 'discovery-error') return;
      const { error } = payload as FailoverEvents['discovery-error'];
      tell({ event, reason: error.message });
    },
  };
}

interface RoundsDeps {
  readonly discovery: Discovery;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly tell: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
}

/** Looks at every broker in turn, and tells when one is not as it was. */
class Rounds {
  readonly #deps: RoundsDeps;
  readonly #known = new Map<string, Health>();

  constructor(deps: RoundsDeps) {
    this.#deps = deps;
  }

  get anyHealthy(): boolean {
    return [...this.#known.values()].includes('healthy');
  }

  async look(endpoints: readonly Endpoint[]): Promise<void> {
    const listed = new Set(endpoints.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!listed.has(id)) this.#known.delete(id);
    await Promise.all(endpoints.map((endpoint) => this.#lookAt(endpoint)));
  }

  async #lookAt(endpoint: Endpoint): Promise<void> {
    const { signal, tell } = this.#deps;
    const [state, reason] = await this.#healthOf(endpoint);
    if (signal.aborted || this.#known.get(endpoint.id) === state) return;
    this.#known.set(endpoint.id, state);
    tell({ event: 'health', endpoint: endpoint.id, state, reason });
  }

  async #healthOf(endpoint: Endpoint): Promise<readonly [Health, string]> {
    const { discovery, dialer, clock, signal } = this.#deps;
    const refusal = discovery.refusal(endpoint);
    if (refusal !== undefined) return ['unusable', refusal];
    if (endpoint.state === 'down') return ['unusable', 'the list says that it is down'];
    const startedAt = clock.now();
    let failure = 'no answer';
    const target = { endpoint, options: { ...discovery.options.mqtt, ...endpoint.options } };
    const onFailure = (_target: unknown, error: Error) => {
      failure = error.message;
    };
    // Aborted at the end, which is no word on the broker.
    const dialed = await dialer.dial([target], signal, onFailure).catch(() => undefined);
    if (!dialed) return ['unreachable', failure];
    dialed.transport.on('error', () => {});
    dialed.transport.destroy();
    return ['healthy', `answered in ${(clock.now() - startedAt).toFixed(1)} ms`];
  }
}

/** Waits, or until the signal is aborted. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

function lineOf(event: WatchEvent, terminal: Terminal): string {
  const at = toIso(terminal.platform.clock.wallNow());
  if (terminal.quiet) return JSON.stringify({ at, ...event });
  return `${terminal.paint('dim', at.slice(11, 19))}  ${printable(textOf(event))}`;
}

function textOf(event: WatchEvent): string {
  if (event.event === 'discovery-error') return `discovery  ${event.reason}`;
  if (event.event === 'health') return `health     ${event.endpoint} ${event.state}: ${event.reason}`;
  const { added, removed, changed, source, revision } = event;
  const marks = [
    ...added.map((id) => `+${id}`),
    ...removed.map((id) => `-${id}`),
    ...changed.map((id) => `~${id}`),
  ];
  return `topology   ${marks.join(' ')} (${source}${revision === null ? '' : `, revision ${revision}`})`;
}

/** One registry URL: its last document, the validator of it, and how long it has to rest after failures. */
import type { Scheme } from '../../endpoint.js';
import { messageOf } from '../../errors.js';
import { backoffDelay } from '../../health/backoff.js';
import type { Clock, Random } from '../../platform/ports.js';
import { retryAfterOf } from '../refresh.js';
import type { EndpointSet } from '../resolver.js';
import { isJson, readText } from './body.js';
import { Deadline } from './deadline.js';
import { type NodeDocument, readDocument } from './document.js';
import { toEndpointSet } from './endpoint-set.js';
import { failure, laneOf } from './failure.js';
import { freshness, type PollBounds, pollAfterMs } from './freshness.js';
import { discard, type RegistryHttp } from './http.js';
import { parseJson } from './json.js';
import { MAX_BODY_BYTES } from './limits.js';
import { recognise, type SourceKind } from './mappings/recognise.js';
import type { RegistryTarget } from './target.js';

/** Milliseconds for the whole answer, headers and body (R56, D11). */
const ANSWER_TIMEOUT_MS = 5_000;

const BACKOFF = { minMs: 1_000, baseMs: 1_000, maxMs: 300_000 };
/** The same while there is no list at all: then nobody is served by a long rest. */
const BACKOFF_WITHOUT_LIST = { ...BACKOFF, maxMs: 30_000 };
/** Refused credentials are not retried in a hurry (D16). */
const SLOW_LANE = { minMs: 60_000, baseMs: 60_000, maxMs: 900_000 };

export interface RegistrySourceDeps {
  readonly target: RegistryTarget;
  readonly http: RegistryHttp;
  readonly clock: Clock;
  readonly random: Random;
  readonly bounds: PollBounds;
  /** Schemes that endpoints from here may have. */
  readonly schemes: ReadonlySet<Scheme>;
}

interface Held {
  readonly kind: SourceKind;
  readonly document: NodeDocument;
  readonly etag: string | undefined;
}

/** Asks one registry URL. */
export class RegistrySource {
  readonly #deps: RegistrySourceDeps;
  #held: Held | undefined;
  #failures = 0;
  #retryAt = 0;
  #error: string | undefined;

  constructor(deps: RegistrySourceDeps) {
    this.#deps = deps;
  }

  get target(): RegistryTarget {
    return this.#deps.target;
  }

  /** What the last good answer was from. */
  get kind(): SourceKind | undefined {
    return this.#held?.kind;
  }

  /** Milliseconds for which it is left alone after failures; 0 when it may be asked. */
  get restMs(): number {
    return Math.max(0, this.#retryAt - this.#deps.clock.now());
  }

  /** Why it rests, for people. */
  get error(): string {
    return `${this.target.shown}: ${this.#error ?? 'not asked'}`;
  }

  /**
   * Asks for the list.
   *
   * @param hasList - Whether there is a list to go on with.
   * @throws an error that {@link error} describes.
   */
  async ask(signal: AbortSignal, hasList: boolean): Promise<EndpointSet> {
    const deadline = new Deadline(this.#deps.clock, signal);
    deadline.allow(ANSWER_TIMEOUT_MS, 'no complete answer');
    try {
      const set = await this.#exchange(deadline);
      this.#failures = 0;
      this.#retryAt = 0;
      return set;
    } catch (error) {
      if (!signal.aborted) this.#rest(error, hasList);
      throw error;
    } finally {
      deadline.end();
    }
  }

  /** Reads a list that was pushed: as {@link ask} reads a body, but it is no answer that a 304 could confirm. */
  read(text: string): EndpointSet {
    const { kind: _, document } = this.#parse(text);
    return this.#toSet(document, undefined);
  }

  async #exchange(deadline: Deadline): Promise<EndpointSet> {
    const { target, http } = this.#deps;
    const validator = http.ownHeaders ? this.#held?.etag : undefined;
    const request = {
      target,
      accept: 'application/json',
      cache: 'no-cache' as const,
      ...(validator === undefined ? {} : { headers: { 'if-none-match': validator } }),
    };
    const response = await http.open(request, deadline);
    if (response.status === 304) {
      discard(response);
      // Without a list there is nothing that could be unchanged: a cache on the way is confused.
      if (!this.#held || validator === undefined) throw failure('HTTP 304 to an unconditional request');
      return this.#toSet(this.#held.document, response.headers);
    }
    if (!isJson(response.headers.get('content-type'))) {
      discard(response);
      throw failure('the answer is not JSON by its content type: a captive portal, or a wrong URL?');
    }
    const { kind, document } = this.#parse(await readText(response.body, MAX_BODY_BYTES, deadline));
    const set = this.#toSet(document, response.headers);
    this.#held = { kind, document, etag: etagOf(response.headers) };
    return set;
  }

  #parse(text: string): { kind: SourceKind; document: NodeDocument } {
    const { kind, document } = recognise(parseJson(text), this.target.reach);
    return { kind, document: readDocument(document) };
  }

  #toSet(document: NodeDocument, headers: Headers | undefined): EndpointSet {
    const { bounds, schemes } = this.#deps;
    const { maxAgeMs, noStore } = headers ? freshness(headers) : PUSHED;
    const ttlMs = pollAfterMs(document.ttl, maxAgeMs, bounds);
    const set = toEndpointSet(document, { schemes, ttlMs, origin: 'registry' });
    return noStore ? { ...set, storable: false } : set;
  }

  #rest(error: unknown, hasList: boolean): void {
    const { clock, random } = this.#deps;
    this.#failures += 1;
    const usual = hasList ? BACKOFF : BACKOFF_WITHOUT_LIST;
    const bounds = laneOf(error) === 'slow' ? SLOW_LANE : usual;
    this.#retryAt = clock.now() + (retryAfterOf(error) ?? backoffDelay(bounds, this.#failures, random));
    this.#error = messageOf(error);
  }
}

const PUSHED = { maxAgeMs: undefined, noStore: false };

/** A validator that can be sent back as it came; a longer one is no validator but an attack. */
function etagOf(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  return etag && etag.length <= 256 ? etag : undefined;
}

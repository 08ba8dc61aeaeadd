/** Wires the state machine, and what moves, wakes and pauses it. */
import { makeLateMoves } from '../connection/late-moves.js';
import { Lifecycle } from '../connection/lifecycle.js';
import { Supervisor } from '../connection/supervisor.js';
import { isMixedContent } from '../dial/mixed-content.js';
import type { DialPermit } from '../discovery/endpoint-list.js';
import type { Endpoint } from '../endpoint.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Page } from '../platform/page.js';
import type { Network, Platform } from '../platform/ports.js';
import { loadMoves } from './chunks.js';
import { type MovingParts, own, type PartContainer, type ProcessParts, type Tools } from './parts.js';
import { tokens } from './tokens.js';

export function registerConnection(
  register: PartContainer['register'],
  options: ResolvedOptions,
  { platform, tools }: ProcessParts,
): void {
  registerSupervisor(register, options, platform);
  registerMoves(register, options, tools);
  registerLifecycle(register, platform);
}

function registerSupervisor(
  register: PartContainer['register'],
  { dial, backoff, zone, reconnect, attemptTimeoutMs }: ResolvedOptions,
  { page }: Platform,
): void {
  register(own.supervisor, (c) => {
    return new Supervisor({
      watcher: c.resolve(own.watcher),
      selector: c.resolve(tokens.selector),
      health: c.resolve(tokens.health),
      dialer: c.resolve(tokens.dialer),
      session: c.resolve(own.session),
      connectOptions: c.resolve(own.connectOptions),
      credentials: c.resolve(own.credentials),
      core: c.resolve(own.core),
      links: c.resolve(own.delivery),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
      events: c.resolve(own.events),
      refusal: refusalBy(c.resolve(tokens.network), c.resolve(own.watcher), page),
      isOnline: page && (() => page.signals.isOnline),
      loadMove: c.resolve(own.loadMove),
      options: { ...backoff, connackTimeoutMs: dial.connackTimeoutMs, attemptTimeoutMs, reconnect, zone },
    });
  });
}

/** What a client with a reason to move needs; loaded when there is one. */
function registerMoves(
  register: PartContainer['register'],
  options: ResolvedOptions,
  { dialBudget }: Tools,
): void {
  register(own.loadMove, () => async () => (await loadMoves()).move);
  register(own.moves, (c) => {
    const parts: MovingParts = {
      supervisor: c.resolve(own.supervisor),
      watcher: c.resolve(own.watcher),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
      network: c.resolve(tokens.network),
      connectOptions: c.resolve(own.connectOptions),
      core: c.resolve(own.core),
    };
    const { supervisor, watcher, clock } = parts;
    return makeLateMoves({
      load: async () => (await loadMoves()).plannedMoves(parts, options, dialBudget),
      supervisor,
      watcher,
      clock,
      events: c.resolve(own.events),
      mode: options.failback.mode,
      probeMs: options.health.probeMs,
    });
  });
}

function registerLifecycle(register: PartContainer['register'], { page }: Platform): void {
  register(own.lifecycle, (c) => {
    if (!page) return undefined;
    return new Lifecycle({
      signals: page.signals,
      session: c.resolve(own.session),
      supervisor: c.resolve(own.supervisor),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
    });
  });
}

/** Why an endpoint must not be dialed at all; the one question before every dial. */
function refusalBy(
  { schemes }: Network,
  permit: DialPermit,
  page: Page | undefined,
): (endpoint: Endpoint) => string | undefined {
  return (endpoint) => {
    const { scheme } = endpoint;
    if (!schemes.has(scheme)) return `this runtime cannot dial ${scheme}:`;
    if (isMixedContent(endpoint, page)) return `a page from https: cannot dial ${scheme}:`;
    return permit.refusal(endpoint);
  };
}

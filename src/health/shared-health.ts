/**
 * What the clients of one process know of broker nodes together, so that a gateway with a thousand clients does not
 * find out a thousand times that one is dead.
 *
 * Facts are shared, not verdicts: each client's {@link HealthBook} draws its own conclusions by its own bounds.
 */
import type { Clock } from '../platform/ports.js';

/** Something a client saw of a node, and what it means for the others. */
export type NodeFact =
  /** It could not be reached, or turned a client away for reasons of its own. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** It wants to be left alone until then, on the monotonic clock. */
  | { readonly kind: 'cooled'; readonly reason: string; readonly until: number }
  /** It accepted CONNECT. */
  | { readonly kind: 'accepted' };

/** One client that shares facts. */
export interface Member {
  /** Stands for the client without keeping it alive. */
  readonly witness: symbol;
  /** Another member saw something of a node in this one's list. */
  learn(address: string, fact: NodeFact, witness: symbol): void;
}

/** What is known of a node when a client joins. */
export interface NodeKnowledge {
  /** Failures in a row; of one witness in a row only the first. */
  readonly failures: number;
  readonly failedAt: number;
  readonly cooledUntil: number;
  readonly reason: string;
  readonly witness: symbol | undefined;
}

type Knowledge = { -readonly [K in keyof NodeKnowledge]: NodeKnowledge[K] };

interface Node extends Knowledge {
  readonly members: Set<Member>;
  /** Members that think ill of it, and want to hear of its recovery. */
  readonly doubters: Set<Member>;
  /** Who dials it first after an ejection; the others wait for what comes of it until then. */
  trial: { readonly by: Member; readonly until: number } | undefined;
}

/**
 * Milliseconds that the others leave to the one that tries a returned node first: a transport and a CONNACK deadline,
 * with the defaults. A trial that never came to a result is forgotten then.
 */
const TRIAL_MS = 15_000;

const NOTHING: NodeKnowledge = {
  failures: 0,
  failedAt: 0,
  cooledUntil: 0,
  reason: '',
  witness: undefined,
};

/** A node of which nothing is known. Spelled out: with a spread every node would get a hidden class of its own. */
function newNode(): Node {
  return {
    failures: 0,
    failedAt: 0,
    cooledUntil: 0,
    reason: '',
    witness: undefined,
    trial: undefined,
    members: new Set(),
    doubters: new Set(),
  };
}

/** Facts about nodes by address. Holds only addresses that a living client has in its list. */
export class SharedHealth {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Addresses that are known. */
  get size(): number {
    return this.#nodes.size;
  }

  /** A client has the address in its list from now on. */
  join(address: string, member: Member): NodeKnowledge {
    const node = this.#nodes.get(address) ?? newNode();
    node.members.add(member);
    this.#nodes.set(address, node);
    return node;
  }

  /** A client has the address in its list no longer; with the last one everything about it is forgotten. */
  leave(address: string, member: Member): void {
    const node = this.#nodes.get(address);
    if (!node) return;
    node.members.delete(member);
    node.doubters.delete(member);
    if (node.members.size === 0) this.#nodes.delete(address);
    else if (node.trial?.by === member) node.trial = undefined;
  }

  /** The member wants to hear when somebody is accepted there. */
  doubt(address: string, member: Member): void {
    const node = this.#nodes.get(address);
    if (node?.members.has(member)) node.doubters.add(member);
  }

  /** Tells the others what a member saw. */
  tell(address: string, from: Member, fact: NodeFact): void {
    const node = this.#nodes.get(address);
    if (!node) return;
    Object.assign(node, this.#after(node, from, fact));
    node.trial = undefined;
    // A copy: whoever hears of it may make clients and end them.
    const audience = [...(fact.kind === 'accepted' ? node.doubters : node.members)];
    if (fact.kind === 'accepted') node.doubters.clear();
    for (const member of audience) {
      if (member !== from && node.members.has(member)) member.learn(address, fact, from.witness);
    }
  }

  #after(node: Node, { witness }: Member, fact: NodeFact): Partial<NodeKnowledge> {
    switch (fact.kind) {
      case 'failed': {
        const failures = node.failures + (node.witness === witness ? 0 : 1);
        return { failures, failedAt: this.#clock.now(), reason: fact.reason, witness };
      }
      case 'cooled':
        return { cooledUntil: Math.max(node.cooledUntil, fact.until), reason: fact.reason };
      case 'accepted':
        return NOTHING;
    }
  }

  /** A member is about to dial a node that has just returned from an ejection; the first one tries it for all (R141). */
  claimTrial(address: string, by: Member): void {
    const node = this.#nodes.get(address);
    if (!node || this.#isTried(node)) return;
    node.trial = { by, until: this.#clock.now() + TRIAL_MS };
  }

  /** Whether another member is trying the node just now. */
  isTriedByAnother(address: string, member: Member): boolean {
    const node = this.#nodes.get(address);
    return node !== undefined && this.#isTried(node) && node.trial?.by !== member;
  }

  #isTried({ trial }: Node): boolean {
    return trial !== undefined && this.#clock.now() < trial.until;
  }
}

/**
 * The books of the demo. Truth comes from the receiving side: every reading carries its device and a number, and
 * counts as delivered only when a broker has received exactly that one.
 */

/** What one client sent, and what of it arrived at the other end. */
class Account {
  sent = 0;
  duplicates = 0;
  readonly #arrived = new Set<number>();
  #waiting: { readonly upTo: number; readonly done: () => void }[] = [];
  /** All numbers up to this one have arrived. */
  #complete = 0;

  get distinct(): number {
    return this.#arrived.size;
  }

  arrived(number: number): void {
    if (this.#arrived.has(number)) {
      this.duplicates += 1;
      return;
    }
    this.#arrived.add(number);
    while (this.#arrived.has(this.#complete + 1)) this.#complete += 1;
    const ready = this.#waiting.filter(({ upTo }) => upTo <= this.#complete);
    this.#waiting = this.#waiting.filter(({ upTo }) => upTo > this.#complete);
    for (const { done } of ready) done();
  }

  /** Resolves when everything that was sent until now has arrived. */
  async arrivedSoFar(): Promise<void> {
    if (this.#complete >= this.sent) return;
    await new Promise<void>((done) => this.#waiting.push({ upTo: this.sent, done }));
  }
}

/** Accounts by client id, and their sums. */
class Ledger {
  readonly #accounts = new Map<string, Account>();

  of(id: string): Account {
    const account = this.#accounts.get(id) ?? new Account();
    this.#accounts.set(id, account);
    return account;
  }

  /** Resolves when everything that was sent until now has arrived. */
  async arrivedSoFar(): Promise<void> {
    await Promise.all([...this.#accounts.values()].map((account) => account.arrivedSoFar()));
  }

  get sent(): number {
    return this.#sum((account) => account.sent);
  }

  get delivered(): number {
    return this.#sum((account) => account.distinct);
  }

  get duplicates(): number {
    return this.#sum((account) => account.duplicates);
  }

  #sum(of: (account: Account) => number): number {
    return [...this.#accounts.values()].reduce((sum, account) => sum + of(account), 0);
  }
}

/** What the summary tells. */
export interface Report {
  readonly clients: number;
  readonly moved: number;
  readonly needlesslyMoved: number;
  /** Clients that went back to their home while both brokers were well. */
  readonly returned: number;
  /** Between the two links of a planned move. */
  readonly gapP50Ms: number | null;
  readonly gapP99Ms: number | null;
  readonly offlineP50Ms: number | null;
  readonly offlineP99Ms: number | null;
  readonly published: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly unsettled: number;
  readonly rejected: number;
  readonly commandsSent: number;
  readonly commandsReceived: number;
}

/** Everything that is counted. */
export class Tally {
  /** By device. */
  readonly readings = new Ledger();
  /** By the device they are for. */
  readonly commands = new Ledger();
  clients = 0;
  settled = 0;
  rejected = 0;
  readonly #killed = new Set<string>();
  readonly #offlineMs: number[] = [];
  readonly #moved = new Set<string>();
  readonly #needless = new Set<string>();
  readonly #returned = new Set<string>();
  readonly #gapMs: number[] = [];

  brokerKilled(name: string): void {
    this.#killed.add(name);
  }

  brokerBack(name: string): void {
    this.#killed.delete(name);
  }

  /** A client changed broker; without need if the one it left was never dead. */
  moved(id: string, from: string, offlineMs: number): void {
    (this.#killed.has(from) ? this.#moved : this.#needless).add(id);
    this.#offlineMs.push(offlineMs);
  }

  /** A client left a broker that was well for another: to its home, or without need. */
  movedByPlan(id: string, isReturn: boolean, gapMs: number): void {
    (isReturn ? this.#returned : this.#needless).add(id);
    this.#gapMs.push(gapMs);
  }

  report(): Report {
    const { readings, commands } = this;
    const { sent: published, delivered } = readings;
    return {
      clients: this.clients,
      moved: this.#moved.size,
      needlesslyMoved: this.#needless.size,
      returned: this.#returned.size,
      gapP50Ms: percentile(this.#gapMs, 0.5),
      gapP99Ms: percentile(this.#gapMs, 0.99),
      offlineP50Ms: percentile(this.#offlineMs, 0.5),
      offlineP99Ms: percentile(this.#offlineMs, 0.99),
      published,
      delivered,
      lost: published - delivered,
      duplicates: readings.duplicates,
      unsettled: published + commands.sent - this.settled,
      rejected: this.rejected,
      commandsSent: commands.sent,
      commandsReceived: commands.delivered,
    };
  }
}

/** Nearest rank. */
function percentile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

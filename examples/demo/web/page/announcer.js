/** Tells listeners what readers see: few sentences, seldom, and sums instead of lists. */

/** Milliseconds that news is collected before it is spoken. */
const GATHER_MS = 2_500;
/** Sentences of one announcement. */
const MAX_SENTENCES = 4;

export class Announcer {
  /** @type {HTMLElement} */
  #region;
  /** @type {string[]} */
  #sentences = [];
  /** Clients that moved, by how and where to. @type {Map<string, number>} */
  #moves = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} region an element with `role="status"` */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} sentence */
  say(sentence) {
    if (this.#sentences.length < MAX_SENTENCES) this.#sentences.push(sentence);
    this.#later();
  }

  /**
   * One more client moved.
   *
   * @param {string} how `failed over`, `moved`, `went home`
   * @param {string} to
   */
  moved(how, to) {
    const what = `${how} to ${to}`;
    this.#moves.set(what, (this.#moves.get(what) ?? 0) + 1);
    this.#later();
  }

  #later() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const moves = [...this.#moves].map(([what, n]) => `${n} ${n === 1 ? 'client' : 'clients'} ${what}.`);
      this.#region.textContent = [...this.#sentences, ...moves].join(' ');
      this.#sentences = [];
      this.#moves.clear();
    }, GATHER_MS);
  }
}

/** The picture: clients as dots that glide to the broker they are on. */

/**
 * @typedef {{ name: string, label: string, on: string | null, home: string | null, waiting: number }} Actor
 * @typedef {{ element: HTMLElement, place: string, slot: number, cameAt: number, offlineSince: number | undefined }} Dot
 */

/** Pixels from one dot to the next. */
const PITCH = 32;
/** Milliseconds without a broker before a dot leaves for the lane: a usual failover goes straight to the new one. */
const PATIENCE_MS = 300;
/** More readings than this in an outbox show as a ring: one may be on its way at any time. */
const RING_ABOVE = 1;
/** Rows that brokers side by side have even when they are empty. */
const MIN_ROWS = 2;
/** Where those are who have no broker. */
export const LANE = '';

export class Stage {
  #stage;
  #layer;
  #lane;
  /** @type {Map<string, Dot>} */
  #dots = new Map();
  #arrivals = 0;

  /**
   * @param {HTMLElement} stage everything is inside it
   * @param {HTMLElement} layer for the dots
   * @param {HTMLElement} lane pool of those who have no broker
   */
  constructor(stage, layer, lane) {
    this.#stage = stage;
    this.#layer = layer;
    this.#lane = lane;
  }

  /**
   * @param {readonly Actor[]} actors
   * @param {Map<string, HTMLElement>} brokerPools
   * @param {(id: string | null) => number} colourOf
   */
  show(actors, brokerPools, colourOf) {
    const pools = new Map([...brokerPools, [LANE, this.#lane]]);
    for (const actor of actors) {
      const dot = this.#dots.get(actor.name) ?? this.#add(actor);
      this.#dress(dot, actor, colourOf);
      this.#seat(dot, actor, pools);
    }
    this.#arrange(pools);
  }

  /** @param {Actor} actor @returns {Dot} */
  #add({ name, label }) {
    const element = document.createElement('span');
    element.className = 'dot';
    element.textContent = label;
    const dot = { element, place: LANE, slot: 0, cameAt: this.#nextArrival(), offlineSince: undefined };
    this.#dots.set(name, dot);
    return dot;
  }

  /** @param {Dot} dot @param {Actor} actor @param {(id: string | null) => number} colourOf */
  #dress({ element }, { name, on, home, waiting }, colourOf) {
    const colour = colourOf(home) + 1;
    element.style.setProperty('--broker', colour > 0 ? `var(--broker-${colour})` : 'var(--quiet)');
    element.classList.toggle('waiting', waiting > RING_ABOVE);
    element.title = `${name}: on ${on ?? 'no broker'}, belongs on ${home ?? 'no broker yet'}, ${waiting} waiting`;
  }

  /** @param {Dot} dot @param {Actor} actor @param {Map<string, HTMLElement>} pools */
  #seat(dot, { on }, pools) {
    dot.offlineSince = on === null ? (dot.offlineSince ?? performance.now()) : undefined;
    const isPatient = dot.offlineSince !== undefined && performance.now() - dot.offlineSince < PATIENCE_MS;
    const place = on !== null && pools.has(on) ? on : isPatient ? dot.place : LANE;
    if (place === dot.place) return;
    dot.cameAt = this.#nextArrival();
    dot.place = place;
  }

  #nextArrival() {
    this.#arrivals += 1;
    return this.#arrivals;
  }

  /** Everybody in the order of arrival: who comes goes to the end, and who leaves is closed up for. @param {string} place */
  #lineUp(place) {
    const here = [...this.#dots.values()].filter((dot) => dot.place === place);
    here.sort((a, b) => a.cameAt - b.cameAt);
    for (const [slot, dot] of here.entries()) dot.slot = slot;
    return here.length;
  }

  /** @param {Map<string, HTMLElement>} pools */
  #arrange(pools) {
    const rows = new Map(
      [...pools].map(([place, pool]) => [place, Math.ceil(this.#lineUp(place) / columnsOf(pool))]),
    );
    const most = Math.max(MIN_ROWS, ...[...rows].filter(([place]) => place !== LANE).map(([, n]) => n));
    this.#stage.style.setProperty('--rows', `${most}`);
    this.#stage.style.setProperty('--lane-rows', `${Math.max(1, rows.get(LANE) ?? 1)}`);
    for (const [place, pool] of pools)
      pool.style.setProperty('--own-rows', `${Math.max(1, rows.get(place) ?? 1)}`);
    const origin = this.#stage.getBoundingClientRect();
    for (const [place, pool] of pools) {
      const { left, top } = pool.getBoundingClientRect();
      const columns = columnsOf(pool);
      for (const dot of this.#dots.values()) {
        if (dot.place !== place) continue;
        const x = left - origin.left + (dot.slot % columns) * PITCH;
        const y = top - origin.top + Math.floor(dot.slot / columns) * PITCH;
        dot.element.style.transform = `translate(${x}px, ${y}px)`;
        // Not before it has a place: it would fly in from a corner.
        if (!dot.element.isConnected) this.#layer.append(dot.element);
      }
    }
  }
}

/** @param {HTMLElement} pool */
function columnsOf(pool) {
  return Math.max(1, Math.floor(pool.clientWidth / PITCH));
}

/** The brokers as cards, with what can be done to them. */

/**
 * @typedef {import('./control.js').BrokerState} BrokerState
 * @typedef {import('./control.js').Condition} Condition
 * @typedef {{ verb: string, text: string, off?: boolean }} Offer
 */

/** @type {Readonly<Record<Condition, string>>} */
const WORDS = { up: 'up', hung: 'hung', draining: 'draining', dead: 'dead' };

/** Always three buttons, so that none moves under a finger or loses the focus. @type {Record<string, (condition: Condition) => Offer>} */
const OFFERS = {
  life: (condition) =>
    condition === 'dead' ? { verb: 'start', text: 'Start' } : { verb: 'kill', text: 'Kill' },
  silence: (condition) =>
    condition === 'hung'
      ? { verb: 'resume', text: 'Resume' }
      : { verb: 'hang', text: 'Hang', off: condition === 'dead' },
  duty: (condition) =>
    condition === 'draining'
      ? { verb: 'start', text: 'Put back' }
      : { verb: 'drain', text: 'Drain', off: condition !== 'up' },
};

/** Side by side on a wide screen, by how many there are: five or six in two rows. @type {Record<number, number>} */
const COLUMNS = { 1: 1, 2: 2, 4: 4 };

/** One card. */
class BrokerCard {
  /** @type {HTMLElement} */
  root;
  /** Where its clients are shown. @type {HTMLElement} */
  pool;
  #id;
  /** @type {HTMLElement} */
  #condition;
  /** @type {HTMLElement} */
  #count;
  /** @type {HTMLButtonElement[]} */
  #buttons;

  /**
   * @param {string} id
   * @param {number} index decides its colour
   * @param {(id: string, verb: string) => void} onAct
   */
  constructor(id, index, onAct) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById('broker'));
    const root = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    this.root = root;
    this.#id = id;
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    part('h3').textContent = id;
    this.pool = part('.pool');
    this.#condition = part('.condition');
    this.#count = part('.count');
    this.#buttons = [...root.querySelectorAll('button')];
    root.dataset.broker = id;
    root.style.setProperty('--broker', `var(--broker-${index + 1})`);
    for (const button of this.#buttons)
      button.addEventListener('click', () => {
        const { verb } = button.dataset;
        if (verb && button.ariaDisabled !== 'true') onAct(id, verb);
      });
  }

  /**
   * @param {BrokerState} state
   * @param {number} clients
   */
  show({ condition, listed }, clients) {
    const { root } = this;
    root.dataset.condition = condition;
    const isEmpty = condition === 'draining' && clients === 0;
    setText(this.#condition, isEmpty ? 'drained' : WORDS[condition]);
    this.#condition.title = `The registry lists it as ${listed}.`;
    setText(this.#count, `${clients} ${clients === 1 ? 'client' : 'clients'}`);
    for (const button of this.#buttons) {
      const {
        verb,
        text,
        off = false,
      } = /** @type {(condition: Condition) => Offer} */ (OFFERS[button.dataset.slot ?? ''])(condition);
      button.dataset.verb = verb;
      setText(button, text);
      button.ariaLabel = `${text} ${this.#id}`;
      // Not `disabled`: the focus would be lost.
      button.ariaDisabled = `${off}`;
    }
  }
}

/** All cards, in the order in which the brokers joined. */
export class BrokerCards {
  /** @type {HTMLElement} */
  #list;
  #onAct;
  /** @type {Map<string, BrokerCard>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} list
   * @param {(id: string, verb: string) => void} onAct
   */
  constructor(list, onAct) {
    this.#list = list;
    this.#onAct = onAct;
  }

  /**
   * @param {readonly BrokerState[]} brokers
   * @param {ReadonlyMap<string | null, number>} clients by broker
   */
  show(brokers, clients) {
    brokers.forEach((broker, index) => {
      let card = this.#cards.get(broker.id);
      if (!card) {
        card = new BrokerCard(broker.id, index, this.#onAct);
        this.#cards.set(broker.id, card);
        this.#list.append(card.root);
      }
      card.show(broker, clients.get(broker.id) ?? 0);
    });
    this.#list.style.setProperty('--columns', `${COLUMNS[brokers.length] ?? 3}`);
  }

  /** Where the clients of each broker are shown. @returns {Map<string, HTMLElement>} */
  get pools() {
    return new Map([...this.#cards].map(([id, { pool }]) => [id, pool]));
  }

  /** Position of a broker, which decides its colour. @param {string | null} id */
  indexOf(id) {
    return [...this.#cards.keys()].indexOf(id ?? '');
  }
}

/** Only where it differs: a selection survives. @param {HTMLElement} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

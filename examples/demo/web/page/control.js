/** What the page asks of the demo's own server. */

/**
 * @typedef {'up' | 'hung' | 'draining' | 'dead'} Condition
 * @typedef {{ id: string, condition: Condition, listed: 'up' | 'draining' | 'down' }} BrokerState
 * @typedef {object} ServerState
 * @property {string} run which run of the demo answers
 * @property {BrokerState[]} brokers
 * @property {boolean} mayAdd
 * @property {Record<string, number>} arrived for each device: all readings up to this one are there
 */

const TIMEOUT_MS = 5_000;

/**
 * How the brokers are, and what has arrived there from this session.
 *
 * @param {string} session
 * @returns {Promise<ServerState>}
 */
export function serverState(session) {
  return ask(`state.json?session=${encodeURIComponent(session)}`);
}

/**
 * Does something to a broker, or adds one.
 *
 * @param {string} path `brokers` or `brokers/n1/kill`
 * @returns {Promise<ServerState>} how it is afterwards
 */
export function act(path) {
  return ask(path, { method: 'POST' });
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<ServerState>}
 */
async function ask(path, init) {
  const response = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

/**
 * A number that no other tab of this page has: clients of two tabs must not share an id, and a tab that is loaded
 * again should find its clients where they were.
 *
 * @returns {Promise<number>}
 */
export async function seat() {
  for (let number = 1; ; number += 1) if (await take(number)) return number;
}

/**
 * @param {number} number
 * @returns {Promise<boolean>}
 */
function take(number) {
  return new Promise((resolve) => {
    void navigator.locks.request(`fleet-${number}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      // Held as long as the page lives.
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}

/** The fleet page: starts the clients, listens to them, and shows what they do. */
import { Announcer } from './announcer.js';
import { Books } from './books.js';
import { BrokerCards, setText } from './brokers.js';
import { AreaChart, DurationChart } from './charts.js';
import { act, seat, serverState } from './control.js';
import { Device } from './device.js';
import { Journal } from './journal.js';
import { Stage } from './stage.js';

const CLIENTS = 24;
/** Milliseconds between starts: a browser slows down pages that open many WebSockets at once. */
const START_STEP_MS = 60;
/** Milliseconds between pictures, and between questions to the server. */
const PICTURE_MS = 100;
const CHART_MS = 250;
const QUESTION_MS = 500;
/** Milliseconds of waiting for an acknowledgement that are nothing unusual. */
const SILENCE_MS = 500;
/** As many as the server adds; the colours are in the style sheet. */
const MAX_BROKERS = 6;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const svgById = (id) => /** @type {SVGSVGElement} */ (/** @type {unknown} */ (document.getElementById(id)));

/** @type {Device[]} */
const devices = [];
const books = new Books(devices);
const journal = new Journal(byId('journal'));
const announcer = new Announcer(byId('announcer'));
const cards = new BrokerCards(byId('brokers'), (id, verb) => void command(`brokers/${id}/${verb}`, id, verb));
const lanePool = /** @type {HTMLElement} */ (document.querySelector('#lane .pool'));
const stage = new Stage(byId('stage'), byId('dots'), lanePool);
const brokerColours = Array.from({ length: MAX_BROKERS }, (_, i) => `var(--broker-${i + 1})`);
const placement = new AreaChart(svgById('placement-chart'), brokerColours, CLIENTS);
const queue = new AreaChart(svgById('queue-chart'), ['var(--accent)'], 20);
const offlineTime = new DurationChart(svgById('offline-chart'));

/** @type {import('./control.js').ServerState} */
let state = { run: '', brokers: [], mayAdd: true, arrived: {} };

/** What an order means, in words: two short lines on a phone. @type {Record<string, (id: string) => string>} */
const ORDERS = {
  kill: (id) => `You killed ${id}: connections reset, port closed.`,
  hang: (id) => `You hung ${id}: still open, but silent.`,
  resume: (id) => `${id} answers again.`,
  drain: (id) => `You drain ${id}: the registry asks its clients to leave.`,
  start: (id) => `${id} is in service again; its clients will come home.`,
};

/** @type {import('./device.js').Listener} */
const listener = {
  failedOver: ({ name }, { from, to, offlineMs }, waitedMs) => {
    // A broker that hangs is silent before it is left, and that is time without service, too.
    const silence =
      waitedMs > offlineMs + SILENCE_MS ? `, after ${seconds(waitedMs - offlineMs)} of silence` : '';
    offlineTime.add('failover', Math.max(offlineMs, waitedMs));
    journal.add('good', `${name} failed over from ${from} to ${to} in ${duration(offlineMs)}${silence}`);
    announcer.moved('failed over', to);
  },
  moved: ({ name }, { from, to, gapMs }, isReturn) => {
    const how = isReturn ? 'went home' : 'moved by plan';
    offlineTime.add('planned', gapMs);
    journal.add('good', `${name} ${how} from ${from} to ${to}, ${gapMs.toFixed(1)} ms between the links`);
    announcer.moved(isReturn ? 'went home' : 'moved', to);
  },
  heardOf: (device, added) => {
    for (const id of added) heard(id, device);
  },
  stranded: ({ name }) => {
    if (stranded.has(name)) return;
    stranded.add(name);
    journal.add('bad', `${name} finds no broker; its readings wait, and it tries again`);
  },
};

/** Names of clients whose last attempt failed everywhere. @type {Set<string>} */
const stranded = new Set();
/** Who knows of a broker. @type {Map<string, Set<Device>>} */
const knowing = new Map();

/** @param {string} id @param {Device} device */
function heard(id, device) {
  const who = knowing.get(id) ?? new Set();
  knowing.set(id, who.add(device));
  if (who.size === CLIENTS) journal.add('info', `all ${CLIENTS} clients have ${id} in their list`);
}

/**
 * @param {string} path
 * @param {string} id
 * @param {string} verb
 */
async function command(path, id, verb) {
  try {
    state = await act(path);
    const text =
      ORDERS[verb]?.(id) ?? `You added ${state.brokers.at(-1)?.id}; the registry tells the clients.`;
    journal.add('act', text);
    say(text);
  } catch (error) {
    const text = `That did not work: ${/** @type {Error} */ (error).message}`;
    journal.add('bad', text);
    say(text);
  }
  showPicture();
}

/** Above the picture, as the journal is far below it on a phone; and spoken. @param {string} text */
function say(text) {
  setText(byId('caption'), text);
  announcer.say(text);
}

function showPicture() {
  const actors = devices.map(({ name, label, now }) => ({ name, label, ...now }));
  const counts = countBy(actors, ({ on }) => on);
  cards.show(state.brokers, counts);
  stage.show(actors, cards.pools, (id) => cards.indexOf(id));
  for (const { name, on } of actors) if (on) stranded.delete(name);
  const offline = counts.get(null) ?? 0;
  setText(byId('offline'), offline === 0 ? 'nobody' : `${offline}`);
  byId('add').ariaDisabled = `${!state.mayAdd}`;
}

function showTotals() {
  const { published, acknowledged, waiting, lost } = books.totals;
  for (const [id, value] of Object.entries({ published, acknowledged, waiting, lost }))
    setText(byId(id), value.toLocaleString('en-GB'));
  byId('lost').parentElement?.classList.toggle('bad', lost > 0);
}

function showCharts() {
  const now = devices.map((device) => device.now);
  const counts = countBy(now, ({ on }) => on);
  const waiting = now.reduce((sum, { waiting }) => sum + waiting, 0);
  placement.add(brokerColours.map((_, i) => counts.get(state.brokers[i]?.id ?? '') ?? 0));
  queue.add([waiting]);
  for (const chart of [placement, queue, offlineTime]) chart.draw();
  setText(byId('queue-value'), `${waiting} ${waiting === 1 ? 'reading' : 'readings'}`);
  showPlacement(counts);
  const durations = [...offlineTime.durations].sort((a, b) => a - b);
  const median = durations[Math.floor(durations.length / 2)];
  const worst = durations.at(-1);
  if (median !== undefined && worst !== undefined)
    setText(byId('offline-value'), `median ${duration(median)}, worst ${duration(worst)}`);
  else setText(byId('offline-value'), 'no move in the last minute');
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** @param {number} ms */
function duration(ms) {
  return ms < 1_000 ? `${Math.round(ms)} ms` : seconds(ms);
}

/** @param {ReadonlyMap<string | null, number>} counts clients by broker */
function showPlacement(counts) {
  setText(byId('placement-value'), `${devices.length - (counts.get(null) ?? 0)} clients connected`);
  const legend = byId('placement-legend');
  for (const [i, { id }] of state.brokers.entries()) {
    const mark = /** @type {HTMLElement} */ (legend.children[i] ?? document.createElement('span'));
    mark.className = 'mark broker-mark';
    mark.style.setProperty('--broker', brokerColours[i] ?? '');
    setText(mark, `${id} ${counts.get(id) ?? 0}`);
    if (!mark.isConnected) legend.append(mark);
  }
}

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => string | null} key
 * @returns {Map<string | null, number>}
 */
function countBy(items, key) {
  const counts = new Map();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

/** @param {string} session */
async function ask(session) {
  const notice = byId('notice');
  const { run } = state;
  try {
    state = await books.check(() => serverState(session));
    notice.hidden = true;
    // New brokers know nothing of what was acknowledged by the old ones.
    if (run !== '' && run !== state.run) location.reload();
  } catch {
    notice.hidden = false;
    setText(
      notice,
      'The demo has stopped. When it runs again (npm run demo -- --web), this page starts over.',
    );
  }
  setTimeout(() => void ask(session), QUESTION_MS);
}

async function start() {
  const number = await seat();
  const session = `${number}-${Date.now().toString(36)}`;
  const registry = `registry+${new URL('nodes.json', location.href).href}`;
  byId('add').addEventListener('click', () => {
    if (state.mayAdd) void command('brokers', '', 'add');
  });
  void ask(session);
  setInterval(showPicture, PICTURE_MS);
  setInterval(showTotals, CHART_MS);
  setInterval(showCharts, CHART_MS);
  for (let i = 1; i <= CLIENTS; i += 1) {
    devices.push(new Device(i, { seat: number, session, registry, listener }));
    await new Promise((resolve) => setTimeout(resolve, START_STEP_MS));
  }
}

await start();

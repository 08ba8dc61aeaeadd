/** What happens in the demo, in order. A new feature gets its act in {@link ACTS}. */
import type { Stage } from './stage.js';

/** A part of the story with a headline. */
interface Act {
  readonly title: string;
  play(stage: Stage): Promise<void>;
}

const DEVICES = 12;
const LATE_DEVICES = 8;
/** Milliseconds between two devices that join. */
const JOIN_EVERY_MS = 60;
/** Milliseconds of patience for clients that watch a broker before they move to it. */
const HOMECOMING_MS = 8_000;
/** Milliseconds of patience for what should happen within one. */
const PATIENCE_MS = 5_000;

const ACTS: readonly Act[] = [
  {
    title: 'Three brokers start, twelve devices connect',
    async play(stage) {
      for (const name of ['a', 'b', 'c']) await stage.cluster.add(name);
      await stage.fleet.addControlRoom();
      await join(stage, 1, DEVICES);
      stage.say('good', `${DEVICES} devices and the control room (CR) are on ${placement(stage)}`);
      await stage.wait(1_500);
    },
  },
  {
    title: 'Broker b is killed',
    async play(stage) {
      const victims = stage.clientsOn('b').length;
      stage.tally.brokerKilled('b');
      const killed = stage.node('b').kill();
      stage.say('bad', `broker b killed: ${clients(victims)} must move`);
      await killed;
      if (await stage.until(() => stage.fleet.offline === 0, PATIENCE_MS)) {
        stage.say('good', `all ${victims} are back: ${placement(stage)}`);
      }
      await stage.wait(1_500);
    },
  },
  {
    title: 'Broker b comes back',
    async play(stage) {
      await stage.node('b').start();
      stage.tally.brokerBack('b');
      stage.say('info', 'broker b is back; its clients watch it for a while before they trust it');
      if (await stage.until(() => stage.fleet.allAtHome, HOMECOMING_MS)) {
        stage.say('good', `everybody is home again: ${placement(stage)}`);
      }
      await stage.wait(1_000);
    },
  },
  {
    title: 'Broker d is added',
    async play(stage) {
      await stage.cluster.add('d');
      stage.say('info', 'broker d started; the list of brokers has it now');
      const all = stage.fleet.clients.length;
      if (await stage.until(() => stage.knowing('d') === all, PATIENCE_MS)) {
        stage.say('good', `topology: all ${all} clients found d in the list`);
      }
      if (await stage.until(() => stage.fleet.allAtHome, HOMECOMING_MS)) {
        stage.say('good', `d took its share, from every other broker: ${placement(stage)}`);
      }
      const { needlesslyMoved } = stage.tally.report();
      if (needlesslyMoved === 0) stage.say('good', 'nobody else was moved for that');
      else stage.say('bad', `moved without need: ${clients(needlesslyMoved)}`);
      await stage.wait(1_500);
    },
  },
  {
    title: 'Eight more devices join',
    async play(stage) {
      await join(stage, DEVICES + 1, LATE_DEVICES);
      const late = stage.fleet.clients.slice(-LATE_DEVICES).map(({ broker }) => broker);
      const shares = stage.cluster.nodes.map(({ name }) => `${count(late, name)} on ${name}`);
      stage.say('good', `of the ${LATE_DEVICES} newcomers: ${shares.join(', ')}`);
      await stage.wait(1_500);
    },
  },
  {
    title: 'The fleet delivers what is left',
    async play(stage) {
      await settle(stage);
    },
  },
];

/** Plays the story to its end; throws as soon as it is interrupted. */
export async function playStory(stage: Stage): Promise<void> {
  for (const [index, { title, play }] of ACTS.entries()) {
    stage.act = { number: index + 1, of: ACTS.length, title };
    stage.say('act', title);
    await play(stage);
  }
}

/** Stops publishing and waits until everything has arrived. An interrupted story ends with this, too. */
export async function settle({ fleet, tally }: Stage): Promise<void> {
  fleet.stopPublishing();
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref());
  await Promise.race([Promise.all([tally.readings.arrivedSoFar(), tally.commands.arrivedSoFar()]), late]);
}

async function join(stage: Stage, first: number, howMany: number): Promise<void> {
  for (let number = first; number < first + howMany; number += 1) {
    await stage.fleet.addDevice(number);
    await stage.wait(JOIN_EVERY_MS);
  }
}

/** Such as `a (4), b (6) and c (2)`. */
function placement(stage: Stage): string {
  const used = stage.cluster.nodes.map(({ name }) => `${name} (${stage.clientsOn(name).length})`);
  return `${used.slice(0, -1).join(', ')} and ${used.at(-1)}`;
}

function count<T>(items: readonly T[], item: T): number {
  return items.filter((each) => each === item).length;
}

function clients(howMany: number): string {
  return howMany === 1 ? '1 client' : `${howMany} clients`;
}

/** What the application wants to hear: asked for until a broker has answered, and restored where a session is new. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ISubscriptionMap } from 'mqtt';
import { Subscriptions } from '../../../src/delivery/subscriptions.js';
import { FailoverError } from '../../../src/errors.js';
import type { Outcome } from '../../../src/health/outcomes.js';
import type { BrokerLimits } from '../../../src/session/broker-limits.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { linkTo } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

function world({ resubscribe = true, batchSize = 50 } = {}) {
  const clock = new VirtualClock();
  const core = new FakeCore();
  const events = new Recorder();
  const random = { next: () => 0.5 };
  const options = { resubscribe, batchSize };
  const subscriptions = new Subscriptions({ core, clock, random, events, options });
  const log: string[] = [];
  const subscribe = (topics: string[] | ISubscriptionMap, options: object = {}) =>
    subscriptions.subscribe(topics, options as never, (error, granted) =>
      log.push(
        `sub ${Object.keys(Array.isArray(topics) ? {} : topics)}${Array.isArray(topics) ? topics : ''} ${error ? error.message : `ok ${granted?.length}`}`,
      ),
    );
  const unsubscribe = (...topics: string[]) =>
    subscriptions.unsubscribe(topics, undefined, (error) =>
      log.push(`unsub ${topics} ${error ? error.message : 'ok'}`),
    );
  const up = (resumed = false, limits: Partial<BrokerLimits> = {}) =>
    subscriptions.linkUp(linkTo('node-a', limits, resumed), () => log.push('restored'));
  /** SUBSCRIBE and UNSUBSCRIBE sent since the last look. */
  let seen = 0;
  const sent = () => {
    const news = core.requests
      .slice(seen)
      .map(({ cmd, topics }) => `${cmd === 'subscribe' ? '+' : '-'}${topics}`);
    seen = core.requests.length;
    return news;
  };
  const answer = (codes?: number[], index = core.requests.length - 1) => core.answerRequest(index, codes);
  /** MQTT.js's flush of what a closed connection left unanswered. */
  const down = (outcome?: Outcome) => {
    const suspected = subscriptions.linkDown(
      outcome && new FailoverError('ERR_LINK', 'ended', { outcome, endpoint: 'node-a' }),
    );
    for (const { callback } of core.requests) callback(new Error('Connection closed'));
    return suspected;
  };
  return { clock, core, events, subscriptions, log, subscribe, unsubscribe, up, down, sent, answer };
}

describe('a request', () => {
  test('is sent on a link and calls back with the answer', () => {
    const { log, subscribe, unsubscribe, up, sent, answer } = world();
    up();
    assert.deepEqual(log, ['restored']);
    subscribe(['a', 'b']);
    assert.deepEqual(sent(), ['+a,b']);
    answer([1, 0]);
    unsubscribe('a');
    answer();
    assert.deepEqual([sent(), log.slice(1)], [['-a'], ['sub a,b ok 2', 'unsub a ok']]);
  });

  test('outlives connections until a broker has answered it', () => {
    const { log, subscribe, unsubscribe, up, down, sent, answer } = world();
    subscribe(['a']);
    unsubscribe('x');
    assert.deepEqual(sent(), []);
    up();
    assert.deepEqual(sent(), ['+a', '-x']);
    down();
    up();
    assert.deepEqual([sent(), log], [['+a', '-x'], []]);
    answer([], 2);
    answer([], 3);
    assert.deepEqual(log, ['sub a ok 1', 'restored', 'unsub x ok']);
    down();
    up(true);
    assert.deepEqual([sent(), log.slice(3)], [[], ['restored']]);
  });

  test('calls back once, whatever old connections still say', () => {
    const { core, log, subscribe, up, down, answer } = world();
    up();
    subscribe(['a']);
    down();
    up();
    answer([0], 1);
    answer([0], 0);
    core.requests[1]!.callback(new Error('Connection closed'));
    assert.deepEqual(log, ['restored', 'restored', 'sub a ok 1']);
  });

  test('goes out again only for what is new, or wanted at a higher QoS', () => {
    const { log, subscribe, up, sent, answer } = world();
    up();
    subscribe(['a'], { qos: 1 });
    answer([1]);
    sent();
    subscribe(['a'], { qos: 1 });
    subscribe(['a'], { qos: 0 });
    subscribe({ a: { qos: 1 } });
    assert.deepEqual([sent(), log.slice(-3)], [[], ['sub a ok 0', 'sub a ok 0', 'sub a ok 0']]);
    subscribe(['a', 'b'], { qos: 1 });
    subscribe(['a'], { qos: 2 });
    subscribe({ a: { qos: 0 }, resubscribe: true } as never);
    assert.deepEqual(sent(), ['+b', '+a', '+a']);
  });

  test('is sent with its own options and properties', () => {
    const { core, subscribe, up } = world();
    const properties = { subscriptionIdentifier: 7 };
    up();
    subscribe({ a: { qos: 2, nl: true } } as ISubscriptionMap, { properties });
    subscribe(['b'], { qos: 1, rap: true, properties });
    assert.deepEqual(core.requests[0]?.filters.a, { qos: 2, nl: true });
    assert.equal(core.requests[0]?.properties, properties);
    assert.deepEqual(
      [core.requests[1]?.filters.b?.qos, core.requests[1]?.filters.b?.rap, core.requests[1]?.properties],
      [1, true, properties],
    );
  });

  test('is called back with the error when the client ends', () => {
    const { clock, core, log, subscriptions, subscribe, unsubscribe, up } = world();
    up();
    subscribe(['a']);
    unsubscribe('b');
    subscriptions.abandon(new Error('ended'));
    assert.deepEqual(log, ['restored', 'sub a ended', 'unsub b ended']);
    core.answerRequest(0, [0]);
    subscriptions.abandon(new Error('again'));
    assert.deepEqual([log.length, clock.pending], [3, 0]);
  });
});

describe('a refused filter', () => {
  test('leaves its neighbours subscribed, and is not restored (R72)', () => {
    const { log, subscribe, up, down, sent, answer } = world();
    up();
    subscribe(['a', 'no', 'b']);
    answer([1, 0x87, 0]);
    assert.deepEqual(log, ['restored', 'sub a,no,b Subscribe error']);
    down();
    sent();
    up();
    assert.deepEqual(sent(), ['+a,b']);
  });

  test('stays wanted when it was accepted before and a new broker refuses it', () => {
    const { subscribe, up, down, sent, answer } = world();
    up();
    subscribe(['a', 'b']);
    answer([0, 0]);
    down();
    up();
    answer([0x80, 0]);
    down();
    sent();
    up();
    assert.deepEqual(sent(), ['+a,b']);
  });
});

describe('a new session', () => {
  test('gets every accepted subscription before publishes flow; a resumed one has them', () => {
    const { log, subscribe, up, down, sent, answer } = world();
    up();
    subscribe(['a', 'b'], { qos: 1 });
    answer([1, 1]);
    subscribe(['c'], { qos: 2 });
    answer([2]);
    down();
    sent();
    up(true);
    assert.deepEqual([sent(), log.at(-1)], [[], 'restored']);
    down();
    log.length = 0;
    up(false);
    assert.deepEqual([sent(), log], [['+a,b,c'], []]);
    answer();
    assert.deepEqual(log, ['restored']);
  });

  test('gets each subscription at the QoS and with the options last asked for', () => {
    const { core, subscribe, up, down, answer } = world();
    up();
    subscribe(['a'], { qos: 0 });
    answer([0]);
    subscribe(['a'], { qos: 2, nl: true });
    answer([1]);
    down();
    up();
    const { qos, nl } = core.requests.at(-1)!.filters.a!;
    assert.deepEqual({ qos, nl }, { qos: 2, nl: true });
  });

  test('gets them in batches, those with the same properties together', () => {
    const { core, log, subscribe, up, down, sent } = world({ batchSize: 2 });
    const properties = { subscriptionIdentifier: 1 };
    up();
    subscribe(['a', 'b', 'c']);
    subscribe(['p', 'q'], { properties });
    for (const index of [0, 1]) core.answerRequest(index);
    down();
    sent();
    log.length = 0;
    up();
    assert.deepEqual(sent(), ['+a,b', '+c', '+p,q']);
    assert.deepEqual(
      core.requests.slice(2).map((request) => request.properties),
      [undefined, undefined, properties],
    );
    core.answerRequest(2);
    core.answerRequest(4);
    assert.deepEqual(log, []);
    core.answerRequest(3);
    assert.deepEqual(log, ['restored']);
  });

  test('gets what was asked for meanwhile after what it had', () => {
    const { subscribe, unsubscribe, up, down, sent, answer } = world();
    up();
    subscribe(['a', 'b']);
    answer();
    down();
    unsubscribe('a');
    subscribe(['c']);
    sent();
    up();
    assert.deepEqual(sent(), ['+b', '-a', '+c']);
  });

  test('gets no subscription that was given up, also when SUBACK came after the unsubscribe call', () => {
    for (const linked of [true, false]) {
      const { core, subscribe, unsubscribe, up, down, sent } = world();
      if (linked) up();
      subscribe(['a', 'b']);
      unsubscribe('a');
      if (!linked) up();
      core.answerRequest(0);
      core.answerRequest(1);
      down();
      sent();
      up();
      assert.deepEqual(sent(), ['+b'], linked ? 'on a link' : 'offline');
    }
  });

  test('gets a subscription that was given up and wanted again', () => {
    const { core, subscribe, unsubscribe, up, down, sent } = world();
    up();
    subscribe(['a']);
    core.answerRequest(0);
    unsubscribe('a');
    subscribe(['a']);
    core.answerRequest(1);
    core.answerRequest(2);
    down();
    sent();
    up();
    assert.deepEqual(sent(), ['+a']);
  });

  test('gets nothing with resubscribe false', () => {
    const { log, subscribe, up, down, sent, answer } = world({ resubscribe: false });
    up();
    subscribe(['a']);
    answer();
    down();
    sent();
    up();
    assert.deepEqual([sent(), log.at(-1)], [[], 'restored']);
  });
});

describe('restoration', () => {
  test('keeps publishes back for five seconds at most (R80)', async () => {
    const { clock, log, subscribe, up, down, answer } = world();
    up();
    subscribe(['a']);
    answer();
    down();
    log.length = 0;
    up();
    await clock.advance(4_999);
    assert.deepEqual(log, []);
    await clock.advance(1);
    assert.deepEqual(log, ['restored']);
    answer();
    assert.deepEqual([log, clock.pending], [['restored'], 0]);
  });

  test('that a lost link cut short lets nothing flow, and leaves no timer', async () => {
    const { clock, log, core, subscribe, up, down, answer } = world();
    up();
    subscribe(['a']);
    answer();
    down();
    log.length = 0;
    up();
    down();
    assert.deepEqual([log, clock.pending], [[], 0]);
    up();
    core.answerRequest(1);
    assert.deepEqual(log, []);
    core.answerRequest(2);
    assert.deepEqual([log, clock.pending], [['restored'], 0]);
  });
});

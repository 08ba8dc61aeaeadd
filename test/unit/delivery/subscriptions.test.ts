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

  test('leaves it to the application with resubscribe false, whose own request is sent again', () => {
    const { subscribe, up, down, sent, answer } = world({ resubscribe: false });
    up();
    subscribe(['a']);
    answer();
    down();
    up();
    sent();
    subscribe(['a']);
    assert.deepEqual(sent(), ['+a']);
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

describe('a filter that is refused at restoration', () => {
  /** Subscribed to `filters` on one link, and up on another that has not answered yet. */
  const restored = (filters: string[], limits: Partial<BrokerLimits> = {}) => {
    const w = world();
    w.up();
    w.subscribe(filters);
    w.answer();
    w.down();
    w.up(false, limits);
    w.sent();
    w.log.length = 0;
    return w;
  };
  const refused = (w: ReturnType<typeof world>) =>
    w.events.of('subscription-refused').map(({ filter, code, willRetry }) => [filter, code, willRetry]);

  for (const code of [0x80, 0x83, 0x91, 0x97]) {
    test(`with 0x${code.toString(16)} is asked for again on the same link, slower each time (R72)`, async () => {
      const w = restored(['a', 'b']);
      w.answer([code, 0]);
      assert.deepEqual([w.log, w.sent()], [['restored'], []]);
      for (const wait of [1_000, 1_500, 2_500, 4_500]) {
        await w.clock.advance(wait - 1);
        assert.deepEqual(w.sent(), []);
        await w.clock.advance(1);
        assert.deepEqual(w.sent(), ['+a']);
        w.answer([code]);
      }
      assert.deepEqual(refused(w), Array(5).fill(['a', code, true]));
      await w.clock.advance(60_000);
      w.answer([0]);
      await w.clock.advance(600_000);
      assert.deepEqual([w.sent(), w.clock.pending], [['+a'], 0]);
    });
  }

  test('with 0x87 is asked for again on the next link, also in a resumed session', async () => {
    const w = restored(['a', 'b']);
    w.answer([0x87, 0]);
    await w.clock.advance(600_000);
    assert.deepEqual([w.sent(), refused(w)], [[], [['a', 0x87, true]]]);
    w.down();
    w.up(true);
    assert.deepEqual(w.sent(), ['+a']);
    w.answer([0]);
    w.down();
    w.up(true);
    assert.deepEqual(w.sent(), []);
  });

  for (const code of [0x8f, 0x9e, 0xa1, 0xa2]) {
    test(`with 0x${code.toString(16)} is given up`, async () => {
      const w = restored(['a', 'b']);
      w.answer([code, 0]);
      await w.clock.advance(600_000);
      w.down();
      w.up();
      assert.deepEqual([w.sent(), refused(w)], [['+b'], [['a', code, false]]]);
    });
  }

  test('and unsubscribed from meanwhile is not asked for again', async () => {
    const w = restored(['a']);
    w.answer([0x80]);
    w.unsubscribe('a');
    w.sent();
    await w.clock.advance(600_000);
    assert.deepEqual(w.sent(), []);
  });

  test('can be asked for by the application at once', () => {
    const w = restored(['a', 'b']);
    w.answer([0x87, 0]);
    w.subscribe(['a', 'b']);
    assert.deepEqual(w.sent(), ['+a']);
    w.answer([0]);
    w.down();
    w.up(true);
    assert.deepEqual(w.sent(), []);
  });

  test('leaves no timer when the link ends, or a listener ends the client', () => {
    const lost = restored(['a']);
    lost.answer([0x80]);
    lost.down();
    assert.equal(lost.clock.pending, 0);
    const ended = restored(['a', 'b']);
    ended.events.listener = () => ended.subscriptions.abandon(new Error('ended'));
    ended.answer([0x80, 0x80]);
    assert.deepEqual([ended.clock.pending, refused(ended).length], [0, 1]);
  });

  test('has the code that belongs to it, whatever the filters are called', () => {
    const w = restored(['b', '10', '__proto__', '2']);
    const { topics } = w.core.requests.at(-1)!;
    w.answer(topics.map((topic) => (topic === '2' || topic === '__proto__' ? 0x87 : 0)));
    assert.deepEqual(
      refused(w)
        .map(([filter]) => filter)
        .sort(),
      ['2', '__proto__'],
    );
  });
});

describe('a broker that announces what it does not support', () => {
  const FEW = { wildcardSubscriptions: false, sharedSubscriptions: false, subscriptionIdentifiers: false };

  test('is not asked for it at restoration, which is reported, and the next one is (R121)', () => {
    const w = world();
    const properties = { subscriptionIdentifier: 7, userProperties: { a: 'b' } };
    w.up();
    w.subscribe(['plain', 'wild/#', '$share/g/t'], { properties });
    w.answer();
    w.down();
    w.sent();
    w.up(false, FEW);
    assert.deepEqual(w.sent(), ['+plain']);
    assert.deepEqual(w.core.requests.at(-1)?.properties, { userProperties: { a: 'b' } });
    w.answer();
    assert.deepEqual(w.events.of('subscription-refused'), [
      { filter: 'wild/#', code: 0xa2, willRetry: true, endpoint: 'node-a' },
      { filter: '$share/g/t', code: 0x9e, willRetry: true, endpoint: 'node-a' },
    ]);
    w.down();
    w.up(true);
    assert.deepEqual(w.sent(), ['+wild/#,$share/g/t']);
    assert.deepEqual(w.core.requests.at(-1)?.properties, properties);
  });

  test('answers a request as it would have, without being asked', async () => {
    const w = world();
    w.up(false, FEW);
    const answers: unknown[] = [];
    const callback = (error: Error | null, granted?: unknown) => {
      const { code, reasonCode, endpoint } = (error ?? {}) as FailoverError;
      answers.push([code, reasonCode, endpoint, granted]);
    };
    w.subscriptions.subscribe(['plain', 'wild/#'], { qos: 1 }, callback);
    assert.deepEqual(w.sent(), ['+plain']);
    w.answer([1]);
    w.subscriptions.subscribe(['$share/g/t'], { qos: 1 }, callback);
    await settle(10);
    assert.deepEqual(answers, [
      [
        'ERR_UNSUPPORTED',
        0xa2,
        'node-a',
        [
          { topic: 'plain', qos: 1 },
          { topic: 'wild/#', qos: 0xa2 },
        ],
      ],
      ['ERR_UNSUPPORTED', 0x9e, 'node-a', [{ topic: '$share/g/t', qos: 0x9e }]],
    ]);
    w.down();
    w.up();
    assert.deepEqual(w.sent(), ['+plain']);
  });
});

describe('a poison request', () => {
  const CLOSED: Outcome = { kind: 'link', code: 'closed' };

  test('is found by sending one at a time, and answered with the error (R92)', () => {
    const w = world();
    w.up();
    w.subscribe(['good']);
    w.subscribe(['bad']);
    assert.equal(w.down(CLOSED), false);
    w.up();
    assert.equal(w.down(CLOSED), true);
    assert.equal(w.subscriptions.cautious, true);
    w.sent();
    w.up();
    w.unsubscribe('later');
    assert.deepEqual(w.sent(), ['+good']);
    w.answer([0]);
    assert.deepEqual(w.sent(), ['+bad']);
    assert.equal(w.down(CLOSED), true);
    assert.match(w.log.at(-1)!, /^sub bad The subscribe of "bad" was given up/);
    w.up();
    assert.deepEqual(w.sent(), ['+good', '-later']);
    assert.equal(w.subscriptions.cautious, false);
  });

  /** A world in which `bad` has just ended its third link. */
  function convicted() {
    const w = world();
    w.up();
    w.subscribe(['a', 'bad', 'c']);
    w.answer();
    w.down();
    for (let i = 0; i < 2; i++) {
      w.up();
      w.down(CLOSED);
    }
    w.sent();
    w.up();
    assert.deepEqual(w.sent(), ['+a']);
    w.answer();
    assert.deepEqual(w.sent(), ['+bad']);
    w.down(CLOSED);
    w.up();
    assert.deepEqual(w.sent(), ['+a,c']);
    w.answer();
    return w;
  }
  const RESTING = { filter: 'bad', code: null, willRetry: true, endpoint: 'node-a' };

  test('at restoration is one filter of many, and only that one rests', async () => {
    const w = convicted();
    assert.deepEqual(w.events.of('subscription-refused'), [RESTING]);
    assert.equal(w.subscriptions.cautious, false);
    await w.clock.advance(59_000);
    w.subscribe(['d']);
    assert.deepEqual(w.sent(), ['+d']);
  });

  test('that rests is tried again: the broker that closed over it may only have been in trouble', async () => {
    const w = convicted();
    await w.clock.advance(90_000);
    assert.deepEqual(w.sent(), ['+bad']);
    w.answer();
    w.down();
    w.up();
    assert.deepEqual(w.sent(), ['+a,bad,c']);
  });

  test('that rests ends one link at most when it is tried, and rests longer each time', async () => {
    const w = convicted();
    await w.clock.advance(90_000);
    assert.deepEqual(w.sent(), ['+bad']);
    assert.equal(w.down(CLOSED), true);
    w.up();
    assert.deepEqual(w.sent(), ['+a,c']);
    w.answer();
    await w.clock.advance(119_000);
    assert.deepEqual([w.sent(), w.subscriptions.cautious], [[], false]);
    await w.clock.advance(1_000);
    assert.deepEqual(w.sent(), ['+bad']);
    assert.deepEqual(w.events.of('subscription-refused'), [RESTING, RESTING]);
  });

  test('that rests is tried on the next link when the one that it was tried on ended for another reason', async () => {
    const w = convicted();
    await w.clock.advance(90_000);
    w.down();
    w.up();
    assert.deepEqual(w.sent(), ['+bad', '+a,c']);
    w.answer();
    await w.clock.advance(1_000);
    assert.deepEqual(w.sent(), ['+bad']);
  });

  test('that rests is forgotten when nobody wants it any more', async () => {
    const w = convicted();
    w.unsubscribe('bad');
    w.answer();
    await w.clock.advance(1_000_000);
    assert.deepEqual([w.sent(), w.clock.pending], [['-bad'], 0]);
  });

  test('is none that the link outlives for two seconds: the next one follows', async () => {
    const w = world();
    w.subscribe(['a']);
    w.subscribe(['b']);
    for (let i = 0; i < 2; i++) {
      w.up();
      w.down(CLOSED);
    }
    w.sent();
    w.up();
    assert.deepEqual(w.sent(), ['+a']);
    await w.clock.advance(2_000);
    assert.deepEqual(w.sent(), ['+b']);
    w.down(CLOSED);
    assert.match(w.log.at(-1)!, /"b" was given up/);
    w.up();
    assert.deepEqual(w.sent(), ['+a']);
  });

  test('waits while a publish is alone on the wire', () => {
    const w = world();
    w.up();
    w.subscriptions.hold(true);
    w.subscribe(['a']);
    assert.deepEqual(w.sent(), []);
    w.subscriptions.hold(false);
    assert.deepEqual(w.sent(), ['+a']);
  });
});

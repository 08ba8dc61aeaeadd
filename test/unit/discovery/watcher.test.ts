/** The endpoint set of a client: what is good stays, what changed is told, and nothing is left running. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBrokers } from '../../../src/brokers/parse.js';
import { createResolver } from '../../../src/discovery/create-resolver.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import type { Endpoint } from '../../../src/endpoint.js';
import { isFailoverError } from '../../../src/errors.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { endpoint } from '../fakes/fake-network.js';
import { Recorder } from '../fakes/recorder.js';
import { resolverDeps } from '../fakes/registry-world.js';

interface Question {
  readonly at: number;
  readonly signal: AbortSignal;
  answer(endpoints: readonly Endpoint[], revision?: string, ttlMs?: number): Promise<void>;
  fail(error: unknown): Promise<void>;
}

/** A watcher whose resolver answers when the test does. */
function world(refreshMs: number | undefined = undefined, random = 0.5) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const questions: Question[] = [];
  const startedAt = clock.now();
  const rebootstraps: number[] = [];
  const resolver = {
    rebootstrap: () => rebootstraps.push(clock.now() - startedAt),
    resolve: (signal: AbortSignal) =>
      new Promise<EndpointSet>((resolve, reject) => {
        questions.push({
          at: clock.now() - startedAt,
          signal,
          answer: (endpoints, revision, ttlMs) => {
            const optional = { ...(revision && { revision }), ...(ttlMs !== undefined && { ttlMs }) };
            resolve({ endpoints, source: 'test', ...optional });
            return settle();
          },
          fail: (error) => {
            reject(error);
            return settle();
          },
        });
      }),
  };
  const kept: { set: EndpointSet | undefined; saved: EndpointSet[]; fails: boolean } = {
    set: undefined,
    saved: [],
    fails: false,
  };
  const lastKnownGood = {
    load: async () => kept.set,
    save: async (set: EndpointSet) => {
      if (kept.fails) throw new Error('the disk is full');
      kept.saved.push(set);
    },
  };
  const watcher = new Watcher({
    resolver,
    clock,
    random: fixedRandom(random),
    events,
    refreshMs,
    lastKnownGood,
  });
  return { clock, events, kept, questions, rebootstraps, watcher };
}

const ids = (set: EndpointSet | undefined) => set?.endpoints.map(({ id }) => id);

describe('watcher', () => {
  test('has nothing before the first answer, then the answer', async () => {
    const { clock, events, questions, watcher } = world();
    assert.deepEqual(watcher.status(), { source: null, revision: null, updatedAt: null, error: null });
    const answer = watcher.refresh();
    await clock.advance(5);
    await questions[0]!.answer([endpoint('a'), endpoint('b')], '7');
    assert.deepEqual(ids(await answer), ['a', 'b']);
    assert.equal(watcher.current, await answer);
    assert.ok(Object.isFrozen(watcher.current) && Object.isFrozen(watcher.current?.endpoints));
    assert.deepEqual(watcher.status(), {
      source: 'test',
      revision: '7',
      updatedAt: clock.wallNow(),
      error: null,
    });
    assert.deepEqual(events.of('topology'), [
      { added: ['a', 'b'], removed: [], changed: [], source: 'test', revision: '7' },
    ]);
  });

  test('tells what was added, removed and changed, and keeps the objects that were not', async () => {
    const { events, questions, watcher } = world();
    const ask = async (...endpoints: Endpoint[]) => {
      const answer = watcher.refresh();
      await questions.at(-1)!.answer(endpoints);
      return (await answer).endpoints;
    };
    const options = { username: 'u' };
    const [a, b] = await ask(endpoint('a', { options }), endpoint('b'), endpoint('c'));
    const second = await ask(endpoint('d'), endpoint('a', { options }), endpoint('b', { weight: 2 }));
    assert.equal(second[1], a);
    assert.notEqual(second[2], b);
    await ask(endpoint('d'), endpoint('a', { options }), endpoint('b', { weight: 2 }));
    const topology = events
      .of('topology')
      .map(({ added, removed, changed }) => ({ added, removed, changed }));
    assert.deepEqual(topology.slice(1), [{ added: ['d'], removed: ['c'], changed: ['b'] }]);
  });

  test('sees a change of url, place, zone or options', async () => {
    const variants = [
      endpoint('a', { authority: 'other.test' }),
      endpoint('a', { scheme: 'mqtts' }),
      endpoint('a', { priority: 1 }),
      endpoint('a', { weight: 3 }),
      endpoint('a', { zone: 'z' }),
      endpoint('a', { options: { username: 'u' } }),
    ];
    for (const variant of variants) {
      const { events, questions, watcher } = world();
      for (const each of [endpoint('a'), variant, endpoint('a')]) {
        void watcher.refresh();
        await questions.at(-1)!.answer([each]);
      }
      assert.deepEqual(
        events.of('topology').map(({ changed }) => changed),
        [[], ['a'], ['a']],
      );
    }
  });

  test('sees a change of the WebSocket query, which the URL does not show', async () => {
    const { events, questions, watcher } = world();
    for (const path of ['/m?node=1', '/m?node=2']) {
      void watcher.refresh();
      await questions.at(-1)!.answer([endpoint('a', { scheme: 'ws', path })]);
    }
    assert.deepEqual(
      events.of('topology').map(({ changed }) => changed),
      [[], ['a']],
    );
    assert.equal(watcher.current?.endpoints[0]?.path, '/m?node=2');
  });

  test('keeps the last good list when the resolver fails, and reports it without secrets', async () => {
    const { clock, events, questions, watcher } = world();
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    const { updatedAt } = watcher.status();
    await clock.advance(1_000);
    const second = watcher.refresh();
    await questions[1]!.fail(new Error('GET https://u:secret@h/x?token=secret failed'));
    assert.deepEqual(ids(await second), ['a']);
    assert.deepEqual(events.names, ['topology', 'discovery-error']);
    const { source, error } = events.of('discovery-error')[0]!;
    assert.equal(source, 'test');
    assert.ok(isFailoverError(error) && error.code === 'ERR_DISCOVERY' && error.retryable);
    assert.equal(error.message, 'Discovery failed: GET https://h/x?… failed');
    assert.deepEqual(
      [watcher.status().updatedAt, watcher.status().error],
      [updatedAt, 'GET https://h/x?… failed'],
    );
    const third = watcher.refresh();
    await questions[2]!.answer([endpoint('a')]);
    await third;
    assert.equal(watcher.status().error, null);
  });

  test('keeps the last good list when the answer is empty (R18)', async () => {
    const { events, questions, watcher } = world();
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    watcher.refresh().catch(() => {});
    await questions[1]!.answer([]);
    assert.deepEqual(ids(watcher.current), ['a']);
    assert.deepEqual(events.names, ['topology', 'discovery-error']);
  });

  test('fails when it never had a list', async () => {
    const { events, questions, watcher } = world();
    const answer = watcher.refresh();
    const rejected = assert.rejects(answer, { code: 'ERR_DISCOVERY', message: 'Discovery failed: no' });
    await questions[0]!.fail('no');
    await rejected;
    assert.equal(watcher.current, undefined);
    assert.deepEqual(
      events.of('discovery-error').map(({ source }) => source),
      [null],
    );
  });

  test('asks once for everybody who asks at the same time', async () => {
    const { questions, watcher } = world();
    const answers = [watcher.refresh(), watcher.refresh(), watcher.refresh()];
    await questions[0]!.answer([endpoint('a')]);
    const [first, ...rest] = await Promise.all(answers);
    assert.equal(questions.length, 1);
    assert.ok(rest.every((each) => each === first));
    void watcher.refresh();
    assert.equal(questions.length, 2);
  });
});

describe('those who watch the list', () => {
  test('are told after it has changed, and not of answers that say the same', async () => {
    const { events, questions, watcher } = world();
    const told: string[] = [];
    watcher.onChange(() => told.push(`${ids(watcher.current)} after ${events.of('topology').length}`));
    for (const [i, list] of ['ab', 'ab', 'a'].entries()) {
      void watcher.refresh();
      await questions[i]!.answer([...list].map((id) => endpoint(id)));
    }
    void watcher.refresh().catch(() => {});
    await questions[3]!.fail(new Error('no answer'));
    assert.deepEqual(told, ['a,b after 1', 'a after 2']);
  });

  test('know how old it is, also when an answer said the same', async () => {
    const { clock, questions, watcher } = world();
    assert.equal(watcher.receivedAt, Number.NEGATIVE_INFINITY);
    for (let i = 0; i < 2; i += 1) {
      await clock.advance(1_000);
      void watcher.refresh();
      await questions[i]!.answer([endpoint('a')]);
      assert.equal(watcher.receivedAt, clock.now());
    }
    const { receivedAt } = watcher;
    await clock.advance(1_000);
    void watcher.refresh().catch(() => {});
    await questions[2]!.fail(new Error('no answer'));
    assert.equal(watcher.receivedAt, receivedAt);
  });
});

describe('refreshing', () => {
  test('waits refreshMs ± 10 % after each answer, good or bad', async () => {
    for (const [random, wait] of [
      [0, 9_000],
      [0.5, 10_000],
      [0.999_999, 11_000],
    ] as const) {
      const { clock, questions, watcher } = world(10_000, random);
      void watcher.refresh();
      // The next question is not planned before the answer is there.
      assert.equal(clock.pending, 0);
      await questions[0]!.answer([endpoint('a')]);
      assert.equal(Math.round(clock.nextIn!), wait);
      await clock.advance(wait);
      assert.equal(clock.pending, 0);
      await questions[1]!.fail(new Error('x'));
      assert.equal(Math.round(clock.nextIn!), wait);
      assert.equal(clock.pending, 1);
      watcher.stop();
    }
  });

  test('goes on when there never was a good answer', async () => {
    const { clock, questions, watcher } = world(10_000);
    watcher.refresh().catch(() => {});
    for (let i = 0; i < 4; i++) {
      await questions.at(-1)!.fail(new Error('x'));
      await clock.advance(10_000);
    }
    assert.deepEqual(
      questions.map(({ at }) => at),
      [0, 10_000, 20_000, 30_000, 40_000],
    );
  });

  test('starts a new wait when somebody asked in between', async () => {
    const { clock, questions, watcher } = world(10_000);
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    await clock.advance(9_000);
    void watcher.refresh();
    await questions[1]!.answer([endpoint('a')]);
    assert.equal(clock.pending, 1);
    assert.equal(clock.nextIn, 10_000);
  });

  test('does not happen for a list that cannot change', async () => {
    const { clock, questions, watcher } = world(undefined);
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    assert.equal(clock.pending, 0);
  });
});

describe('a list with a TTL', () => {
  test('is asked for again after it, and after a failure in 10 s, doubling to 60 s (R16, R18)', async () => {
    const { clock, questions, watcher } = world(60_000);
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')], undefined, 300_000);
    const waits = [clock.nextIn];
    for (let i = 0; i < 5; i++) {
      await clock.advance(clock.nextIn!);
      await questions.at(-1)!.fail(new Error('x'));
      waits.push(clock.nextIn);
    }
    assert.deepEqual(waits, [300_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    await clock.advance(60_000);
    await questions.at(-1)!.answer([endpoint('a')], undefined, 300_000);
    assert.equal(clock.nextIn, 300_000);
    await clock.advance(300_000);
    await questions.at(-1)!.fail(new Error('x'));
    assert.equal(clock.nextIn, 10_000, 'a good answer starts the waits again');
  });
});

describe('the list of an earlier life', () => {
  const KEPT: EndpointSet = { endpoints: [endpoint('old')], source: 'last-known-good' };

  test('is there before the source answers, and gives way to its answer', async () => {
    const { events, kept, questions, watcher } = world();
    kept.set = KEPT;
    assert.deepEqual(ids(await watcher.refresh()), ['old']);
    assert.deepEqual(watcher.status(), {
      source: 'last-known-good',
      revision: null,
      updatedAt: null,
      error: null,
    });
    await questions[0]!.answer([endpoint('old'), endpoint('new')]);
    assert.deepEqual(
      events.of('topology').map(({ added, removed }) => [added, removed]),
      [
        [['old'], []],
        [['new'], []],
      ],
    );
  });

  test('stands in when the source fails', async () => {
    const { kept, questions, watcher } = world();
    kept.set = KEPT;
    const answer = watcher.refresh();
    await questions[0]!.fail(new Error('down'));
    assert.deepEqual(ids(await answer), ['old']);
    assert.equal(watcher.status().error, 'down');
  });

  test('does not hide why there is no list at all', async () => {
    const { questions, watcher } = world();
    const rejected = assert.rejects(watcher.refresh(), { message: 'Discovery failed: down' });
    await questions[0]!.fail(new Error('down'));
    await rejected;
  });

  test('is replaced when the list changes, and once an hour', async () => {
    const { clock, kept, questions, watcher } = world(600_000);
    const say = async (...names: string[]) => {
      void watcher.refresh();
      await questions.at(-1)!.answer(names.map((name) => endpoint(name)));
    };
    await say('a');
    await say('a');
    await say('a', 'b');
    assert.deepEqual(kept.saved.map(ids), [['a'], ['a', 'b']]);
    watcher.stop();
    await clock.advance(3_600_000);
    await say('a', 'b');
    assert.equal(kept.saved.length, 3);
  });

  test('that cannot be kept is reported, and nothing else comes of it', async () => {
    const { events, kept, questions, watcher } = world();
    kept.fails = true;
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    const [report] = events.of('discovery-error');
    assert.match(String(report?.error.message), /could not be kept: the disk is full/);
    assert.equal(watcher.status().error, null);
  });
});

describe('looking again because nothing can be reached', () => {
  test('asks at most once in ten seconds', async () => {
    const { clock, questions, watcher } = world();
    for (let i = 0; i < 20; i += 1) {
      watcher.rescan();
      await clock.advance(500);
      await questions.at(-1)!.answer([endpoint('a')]);
    }
    assert.equal(questions.length, 1);
    watcher.rescan();
    assert.equal(questions.length, 2);
  });

  test('gives up what was learned after five minutes without a link, and not sooner', async () => {
    const { clock, rebootstraps, watcher } = world();
    for (let i = 0; i <= 10; i += 1) {
      watcher.rescan();
      await clock.advance(30_000);
    }
    assert.deepEqual(rebootstraps, [300_000]);
    watcher.reached();
    watcher.rescan();
    await clock.advance(299_000);
    watcher.rescan();
    assert.equal(rebootstraps.length, 1);
  });
});

describe('stopping', () => {
  test('leaves no timer, and a later refresh starts again', async () => {
    const { clock, questions, watcher } = world(10_000);
    void watcher.refresh();
    await questions[0]!.answer([endpoint('a')]);
    watcher.stop();
    assert.equal(clock.pending, 0);
    void watcher.refresh();
    await questions[1]!.answer([endpoint('a')]);
    assert.equal(clock.pending, 1);
  });

  test('abandons a question: its answer changes nothing and arms nothing', async () => {
    const { clock, events, questions, watcher } = world(10_000);
    const answer = watcher.refresh();
    const rejected = assert.rejects(answer, { code: 'ERR_ENDED' });
    watcher.stop();
    assert.ok(questions[0]!.signal.aborted);
    await questions[0]!.answer([endpoint('a')]);
    await rejected;
    assert.equal(watcher.current, undefined);
    assert.deepEqual(events.names, []);
    assert.equal(clock.pending, 0);
  });

  test('does not let the failure of an abandoned question disturb the next one', async () => {
    const { clock, events, questions, watcher } = world(10_000);
    watcher.refresh().catch(() => {});
    watcher.stop();
    const second = watcher.refresh();
    await questions[0]!.fail(new Error('aborted'));
    assert.equal(watcher.refresh(), second);
    await questions[1]!.answer([endpoint('b')]);
    assert.deepEqual(ids(await second), ['b']);
    assert.deepEqual(events.names, ['topology']);
    assert.equal(clock.pending, 1);
  });

  test('inside the topology event leaves no timer', async () => {
    const { clock, events, questions, watcher } = world(10_000);
    events.listener = () => watcher.stop();
    watcher.refresh().catch(() => {});
    await questions[0]!.answer([endpoint('a')]);
    assert.equal(clock.pending, 0);
  });
});

describe('resolvers', () => {
  const WORLD = resolverDeps();
  const never = new AbortController().signal;

  test('a static list is one and the same set for ever', async () => {
    const resolver = createResolver(parseBrokers('mqtt://a,b'), WORLD);
    assert.equal(await resolver.resolve(never), await resolver.resolve(never));
    assert.deepEqual(ids(await resolver.resolve(never)), ['a:1883', 'b:1883']);
  });

  test("a user's function is called for each question and its list is read as any other", async () => {
    let n = 0;
    const resolver = createResolver(
      parseBrokers(async () => [`mqtt://n${n++}`]),
      WORLD,
    );
    assert.deepEqual(ids(await resolver.resolve(never)), ['n0:1883']);
    assert.deepEqual(ids(await resolver.resolve(never)), ['n1:1883']);
    for (const wrong of [[], 'mqtt://a', undefined, [{ url: 'x' }]]) {
      const bad = createResolver(parseBrokers((() => wrong) as never), WORLD);
      await assert.rejects(bad.resolve(never), { code: 'ERR_OPTION', message: /^Option `brokers\(\)/ });
    }
  });

  test("a user's resolver gets the signal, and its set is checked", async () => {
    const seen: AbortSignal[] = [];
    const resolver = createResolver(
      parseBrokers({
        resolve: async (signal: AbortSignal) => {
          seen.push(signal);
          return { endpoints: [{ url: 'mqtt://a' }] as never, source: 'mine', revision: 5 as never };
        },
      }),
      WORLD,
    );
    const { source, revision, endpoints } = await resolver.resolve(never);
    assert.deepEqual([source, revision, endpoints[0]?.id], ['mine', '5', 'a:1883']);
    assert.deepEqual(
      seen.map(({ aborted }) => aborted),
      [false],
    );
    for (const wrong of [undefined, null, {}, { endpoints: [] }]) {
      const bad = createResolver(parseBrokers({ resolve: async () => wrong as never }), WORLD);
      await assert.rejects(bad.resolve(never), { code: 'ERR_OPTION' });
    }
  });

  test('several sources are one resolver', async () => {
    const failing = async () => {
      throw new Error('down');
    };
    const fallback = createResolver(parseBrokers({ sources: [failing, 'mqtt://a'] }), WORLD);
    assert.deepEqual(ids(await fallback.resolve(never)), ['a:1883']);
    const union = createResolver(parseBrokers({ sources: ['mqtt://a', 'mqtt://b'], mode: 'union' }), WORLD);
    assert.deepEqual(ids(await union.resolve(never)), ['a:1883', 'b:1883']);
  });

  test('SRV discovery without a way to the DNS is refused at once', () => {
    assert.throws(() => createResolver(parseBrokers('mqtt+srv://example.com'), WORLD), {
      code: 'ERR_OPTION',
      message: /discovery\.dns\.doh/,
    });
  });
});

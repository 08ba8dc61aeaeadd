/** The application's own discovery: it may be slow, it may hang, and it may not listen. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { inTime } from '../../../src/discovery/in-time.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { VirtualClock } from '../../support/virtual-clock.js';

function world() {
  const clock = new VirtualClock();
  const asked: { signal: AbortSignal; answer: (set: EndpointSet) => void }[] = [];
  const resolver = inTime(
    {
      resolve: (signal) =>
        new Promise((answer) => {
          asked.push({ signal, answer });
        }),
    },
    clock,
  );
  return { clock, asked, resolver };
}

describe('a source in time', () => {
  test('passes its answer on and leaves no timer', async () => {
    const { clock, asked, resolver } = world();
    const answer = resolver.resolve(new AbortController().signal);
    const set = { endpoints: [], source: 'mine' };
    asked[0]?.answer(set);
    assert.equal(await answer, set);
    assert.equal(clock.pending, 0);
  });

  test('leaves no listener behind on a signal that lives on', async () => {
    const { signal } = new AbortController();
    const { asked, resolver } = world();
    const answer = resolver.resolve(signal);
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    asked[0]?.answer({ endpoints: [], source: 'mine' });
    await answer;
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  test('is given ten seconds, then told to stop', async () => {
    const { clock, asked, resolver } = world();
    const rejected = assert.rejects(resolver.resolve(new AbortController().signal), {
      message: 'no answer within 10000 ms',
    });
    await clock.advance(9_999);
    assert.equal(asked[0]?.signal.aborted, false);
    await clock.advance(1);
    await rejected;
    assert.deepEqual([asked[0]?.signal.aborted, clock.pending], [true, 0]);
  });

  test('is given up at once when nobody wants the answer any more, whether it listens or not', async () => {
    const { clock, asked, resolver } = world();
    const abort = new AbortController();
    const reason = new Error('enough');
    const rejected = assert.rejects(resolver.resolve(abort.signal), reason);
    abort.abort(reason);
    await rejected;
    assert.deepEqual([asked[0]?.signal.reason, clock.pending], [reason, 0]);
    await assert.rejects(resolver.resolve(abort.signal), reason);
    assert.equal(asked.length, 1);
  });
});

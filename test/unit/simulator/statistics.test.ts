// What the figures of a simulation mean, on numbers that can be counted by hand.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEndpoint } from '../../../src/endpoint.js';
import { Broker, Connection } from '../../../src/simulator/broker.js';
import { Recorder } from '../../../src/simulator/recorder.js';
import { SeededRandom } from '../../../src/simulator/seeded-random.js';
import { connectRate, percentile, skew } from '../../../src/simulator/statistics.js';
import { VirtualTime } from '../../../src/simulator/virtual-time.js';

describe('connectRate', () => {
  it('is a mean over the periods of recovery alone, from first to last CONNECT', () => {
    // Two blows, at 2 and at 8; nothing before the first counts.
    const bins = Uint32Array.of(9, 9, 0, 4, 0, 2, 0, 0, 0, 6, 0, 0);
    assert.deepEqual(connectRate(bins, [2, 8]), { peak: 6, mean: (4 + 0 + 2 + 6) / 4 });
  });

  it('is 0 where nobody connected, and where nothing happened', () => {
    assert.deepEqual(connectRate(new Uint32Array(5), [1]), { peak: 0, mean: 0 });
    assert.deepEqual(connectRate(Uint32Array.of(1, 2), []), { peak: 0, mean: 0 });
  });
});

describe('percentile', () => {
  it('is a value that there is, by nearest rank', () => {
    const values = [50, 10, 40, 20, 30];
    assert.deepEqual(
      [0.5, 0.99, 0.2, 0].map((share) => percentile(values, share)),
      [30, 50, 10, 10],
    );
    assert.equal(percentile([], 0.5), 0);
  });
});

describe('skew', () => {
  it('is the most over the mean', () => {
    assert.deepEqual([skew([2, 2]), skew([3, 1]), skew([0, 0]), skew([])], [1, 1.5, 0, 0]);
  });
});

/** Two nodes; the client prefers the first. */
function world() {
  const clock = new VirtualTime();
  const model = { handshakesPerSecond: 1_000, backlog: 2, latencyMs: 0 };
  const [a, b] = ['a', 'b'].map(
    (id, index) =>
      new Broker(
        createEndpoint({ scheme: 'mqtt', authority: id }, 'test'),
        index,
        model,
        clock,
        new SeededRandom(),
      ),
  ) as [Broker, Broker];
  const recorder = new Recorder(1, 60_000, clock, { home: () => a, prefers: (_, first) => first === a });
  return { clock, a, b, recorder };
}

describe('a needless move', () => {
  it('leaves a node that was up all the time, for one that is liked less', () => {
    const { a, b, recorder } = world();
    recorder.begin();
    recorder.accepted(0, a);
    recorder.left(0, true);
    recorder.accepted(0, b);
    assert.equal(recorder.needlessMoves, 1);
    recorder.left(0, true);
    recorder.accepted(0, a);
    assert.equal(recorder.needlessMoves, 1, 'going home');
  });

  it('is none when the node died, or merely faltered, meanwhile', () => {
    const { a, b, recorder } = world();
    recorder.begin();
    recorder.accepted(0, a);
    a.die();
    recorder.left(0, false);
    recorder.accepted(0, b);
    a.recover();
    recorder.left(0, true);
    recorder.accepted(0, a);
    recorder.left(0, false);
    a.die();
    a.recover();
    recorder.accepted(0, b);
    assert.equal(recorder.needlessMoves, 0);
  });

  it('of a slow node is one by choice only', () => {
    const { a, b, recorder } = world();
    recorder.begin();
    a.slowDown();
    recorder.accepted(0, a);
    recorder.left(0, false);
    recorder.accepted(0, b);
    assert.equal(recorder.needlessMoves, 0, 'the link broke');
    recorder.left(0, true);
    recorder.accepted(0, a);
    recorder.left(0, true);
    recorder.accepted(0, b);
    assert.equal(recorder.needlessMoves, 1, 'the client left');
  });
});

describe('a node', () => {
  it('answers CONNECTs one after the other, in the time that each takes', () => {
    const { clock, a } = world();
    const traffic = { dialed: () => {}, connectSent: () => {} };
    const answers: number[] = [];
    for (let client = 0; client < 3; client += 1) {
      new Connection(a, client, clock, traffic).connect({
        answered: () => answers.push(clock.now()),
        closed: () => {},
        silenced: () => {},
      });
    }
    assert.equal(a.hasRoom, false);
    while (clock.step(1_000));
    assert.deepEqual(answers, [3, 4, 5]);
    assert.equal(a.hasRoom, true);
  });
});

/** The container of Node and the one of pages do the same with what is registered. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PartContainer } from '../../../src/di/parts.js';
import { smallContainer } from '../../../src/di/small-container.js';
import type { PartToken } from '../../../src/di/tokens.js';
import { tsyringeContainer } from '../../../src/di/tsyringe-container.js';
import { connect } from '../../../src/index.js';

const containers: Readonly<Record<string, () => PartContainer>> = { smallContainer, tsyringeContainer };

for (const [name, create] of Object.entries(containers)) {
  describe(name, () => {
    const A: PartToken<{ readonly from: string }> = Symbol('a');
    const B: PartToken<{ readonly a: object }> = Symbol('b');

    test('makes a part of others once, when it is asked for', () => {
      const container = create();
      let made = 0;
      container.register(A, () => {
        made += 1;
        return { from: 'first' };
      });
      container.register(B, (parts) => ({ a: parts.resolve(A) }));
      assert.equal(made, 0);
      assert.equal(container.resolve(B).a, container.resolve(A));
      assert.equal(container.resolve(B), container.resolve(B));
      assert.equal(made, 1);
    });

    test('takes the last registration', () => {
      const container = create();
      container.register(A, () => ({ from: 'first' }));
      container.register(A, () => ({ from: 'last' }));
      assert.equal(container.resolve(A).from, 'last');
    });

    test('lets the last registration decorate the one before', () => {
      const container = create();
      container.register(A, () => ({ from: 'first' }));
      const before = container.resolve(A);
      container.register(A, () => ({ from: `decorated ${before.from}` }));
      assert.equal(container.resolve(A).from, 'decorated first');
    });

    test('names the part that nobody has registered', () => {
      assert.throws(() => create().resolve(A), /Symbol\(a\)/);
    });

    test('shares nothing with another', () => {
      const container = create();
      container.register(A, () => ({ from: 'first' }));
      assert.throws(() => create().resolve(A));
    });
  });
}

test('the container of a client goes when the client is made, and the client stays', async () => {
  let ofContainer: WeakRef<object> | undefined;
  const client = connect(['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'], {
    manualConnect: true,
    overrides: ({ resolve }) => {
      ofContainer = new WeakRef(resolve);
    },
  });
  assert.ok(ofContainer);
  // Until the end of the present turn a WeakRef holds its target.
  await turn();
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  assert.equal(ofContainer.deref(), undefined);
  assert.equal(client.status().state, 'idle');
  await client.endAsync();
});

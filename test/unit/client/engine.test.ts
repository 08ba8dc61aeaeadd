/** An engine whose client id is claimed, which takes a while: what the application asks for meanwhile. Fakes around it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Engine, type EngineDeps } from '../../../src/client/engine.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { Recorder } from '../fakes/recorder.js';

function world() {
  const log: string[] = [];
  const note = (what: string) => () => void log.push(what);
  let claimed: (id: string) => void = () => {};
  let closed = () => {};
  const engine = new Engine({
    clock: new VirtualClock(),
    events: new Recorder(),
    core: {
      options: {},
      revive: note('revive'),
      end: (_force: boolean, _packet: unknown, done: () => void) => {
        closed = done;
      },
    },
    identity: {
      warnings: [],
      claim: () =>
        new Promise((resolve) => {
          claimed = resolve;
        }),
      release: note('release'),
    },
    session: { isOpen: false },
    supervisor: { observe() {}, retryNow: note('retryNow'), stop: note('stop') },
    delivery: {
      abandon() {},
      publisher: { open: note('open'), unsettled: { size: 0 } },
    },
  } as unknown as EngineDeps);
  return {
    engine,
    claimed: () => {
      claimed('desk');
      return settle();
    },
    closed: () => closed(),
    heard: () => log.splice(0).join(', '),
  };
}

describe('a client whose id is not claimed yet', () => {
  test('takes publishes from connect() on, and not again after drain()', async () => {
    const w = world();
    w.engine.connect('test');
    assert.equal(w.heard(), 'revive');
    await w.claimed();
    assert.equal(w.heard(), 'open, retryNow');
  });

  test('stays ended when the id comes before the end is over', async () => {
    const w = world();
    w.engine.connect('test');
    let ended = false;
    w.engine.end(true, undefined, () => {
      ended = true;
    });
    w.heard();
    await w.claimed();
    w.closed();
    await settle();
    assert.equal(ended, true);
    assert.equal(w.heard(), 'release');
  });

  test('connects once when it is asked to during that end', async () => {
    const w = world();
    w.engine.connect('test');
    w.engine.end(true, undefined, () => {});
    await w.claimed();
    w.engine.connect('again');
    w.heard();
    w.closed();
    assert.equal(w.heard(), 'revive, open, retryNow');
  });
});

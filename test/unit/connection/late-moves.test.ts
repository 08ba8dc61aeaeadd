/** When the code of planned moves is loaded: with a reason to move and not before, and again if it did not come. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LateMoves, type PlannedMoves } from '../../../src/connection/late-moves.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { linkTo } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

function world() {
  const clock = new VirtualClock();
  const events = new Recorder();
  const log: string[] = [];
  const state = { mustLeave: false, hasBetter: false, isOffline: false };
  const watcher = (name: string) => ({
    linkUp: () => void log.push(`${name} up`),
    linkDown: () => void log.push(`${name} down`),
  });
  const moves: PlannedMoves = {
    failback: { ...watcher('failback'), moved: () => void log.push('failback moved') },
    renewal: watcher('renewal'),
    departure: { ...watcher('departure'), listChanged: () => void log.push('departure list') },
  };
  const late = new LateMoves({
    load: async () => {
      log.push('load');
      if (state.isOffline) throw new TypeError('Failed to fetch dynamically imported module');
      return moves;
    },
    clock,
    events,
    probeMs: 10_000,
    mustLeave: () => state.mustLeave,
    hasBetter: () => state.hasBetter,
  });
  const heard = () => log.splice(0).join(', ');
  return { clock, events, late, state, heard };
}

const ALL_UP = 'failback up, renewal up, departure up';
const ALL_DOWN = 'failback down, renewal down, departure down';

describe('planned moves', () => {
  test('of a client at home are never loaded', async () => {
    const { clock, late, heard } = world();
    late.linkUp(linkTo('a'));
    late.listChanged();
    await clock.advance(3_600_000);
    late.linkDown();
    assert.equal(heard(), '');
    assert.equal(clock.pending, 0);
  });

  test('of a client that has failed over are loaded once it has a link again, and then hear of it', async () => {
    const { clock, late, state, heard } = world();
    state.hasBetter = true;
    late.linkUp(linkTo('b'));
    await clock.advance(4_000);
    assert.equal(heard(), '');
    await clock.advance(1_000);
    assert.equal(heard(), `load, ${ALL_UP}`);
    late.listChanged();
    late.linkDown();
    late.linkUp(linkTo('c'));
    assert.equal(heard(), `departure list, ${ALL_DOWN}, ${ALL_DOWN}, ${ALL_UP}`);
  });

  test('are loaded at once for an endpoint that is to be left, and for credentials that expire', async () => {
    const leaving = world();
    leaving.late.linkUp(linkTo('a'));
    leaving.state.mustLeave = true;
    leaving.late.listChanged();
    await settle();
    assert.equal(leaving.heard(), `load, ${ALL_UP}`);
    const expiring = world();
    expiring.late.linkUp({ ...linkTo('a'), expiresAt: 1 });
    await settle();
    assert.equal(expiring.heard(), `load, ${ALL_UP}`);
  });

  test('that the application asked for count', async () => {
    const { late, heard } = world();
    late.linkUp(linkTo('a'));
    await late.moved();
    assert.equal(heard(), `load, ${ALL_UP}, failback moved`);
  });

  test('that cannot be loaded are told of once, and loaded when the network is back', async () => {
    const { clock, late, state, events, heard } = world();
    Object.assign(state, { isOffline: true, hasBetter: true });
    late.linkUp(linkTo('b'));
    await clock.advance(125_000);
    assert.equal(heard(), 'load, load, load');
    assert.deepEqual(
      events.of('warning').map(({ code }) => code),
      ['CODE_NOT_LOADED'],
    );
    state.isOffline = false;
    await clock.advance(60_000);
    assert.equal(heard(), `load, ${ALL_UP}`);
  });

  test('that come after the end of the link hear of the next one', async () => {
    const { late, state, heard } = world();
    state.mustLeave = true;
    late.linkUp(linkTo('a'));
    late.linkDown();
    await settle();
    assert.equal(heard(), 'load');
    late.linkUp(linkTo('b'));
    assert.equal(heard(), `${ALL_DOWN}, ${ALL_UP}`);
  });
});

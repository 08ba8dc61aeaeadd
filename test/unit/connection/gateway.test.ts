/**
 * A thousand clients of one process: what one finds out the others know, and their dials come in waves.
 *
 * World: supervisors with real health books, dialers and sessions over one shared part and one dial budget; clock
 * virtual, network scripted, chance from a seed. Brokers take 20 ms to open a transport.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIAL_BOUNDS, DialBudget } from '../../../src/dial/dial-budget.js';
import { SharedHealth } from '../../../src/health/shared-health.js';
import { rank } from '../../../src/selection/rank.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { clientOf } from '../fakes/client.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';

const CLIENTS = 1_000;
const SLOWLY = { afterMs: 20, gives: 'open' } as const;
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const rejections: unknown[] = [];
const note = (reason: unknown) => rejections.push(reason);

/** The network, counting the dials that are open at once. */
class CountingNetwork extends FakeNetwork {
  readonly opening = new Map<string, number>();
  most = 0;
  mostAtOne = 0;

  override async open(...[target, signal]: Parameters<FakeNetwork['open']>) {
    const { id } = target.endpoint;
    const count = (by: number) => this.opening.set(id, (this.opening.get(id) ?? 0) + by);
    count(1);
    this.mostAtOne = Math.max(this.mostAtOne, this.opening.get(id) as number);
    this.most = Math.max(this.most, this.total);
    try {
      return await super.open(target, signal);
    } finally {
      count(-1);
    }
  }

  get total(): number {
    return [...this.opening.values()].reduce((sum, each) => sum + each, 0);
  }
}

function gateway(ids = 'abcde', clients = CLIENTS) {
  const clock = new VirtualClock();
  const network = new CountingNetwork(clock);
  for (const id of ids) network.answer(id, SLOWLY);
  const process = { health: new SharedHealth(clock), dialBudget: new DialBudget() };
  const list = [...ids].map((id) => endpoint(id));
  const all = Array.from({ length: clients }, (_, n) =>
    clientOf({
      clock,
      network,
      process,
      endpoints: rank(`device-${n}`, list),
      clientId: `device-${n}`,
      random: new SeededRandom(n),
    }),
  );
  const connectedTo = () =>
    all.map(({ supervisor }) => (supervisor.state === 'connected' ? supervisor.current?.id : undefined));
  const end = () => {
    for (const each of all) each.end();
  };
  return { clock, network, process, all, connectedTo, end };
}

describe('a gateway with a thousand clients', () => {
  before(() => process.on('unhandledRejection', note));
  after(() => {
    process.off('unhandledRejection', note);
    assert.deepEqual(rejections, []);
  });

  test('opens no more transports at once than the budget allows, and connects everybody', async () => {
    const { clock, network, all, process, connectedTo, end } = gateway();
    for (const { supervisor } of all) supervisor.start('test');
    await clock.advance(2_000);
    assert.ok(connectedTo().every(Boolean));
    assert.equal(network.most, DIAL_BOUNDS.atOnce);
    assert.ok(network.mostAtOne <= DIAL_BOUNDS.perAddress, `${network.mostAtOne} at one address`);
    assert.deepEqual([network.total, process.dialBudget.lanes], [0, 0]);
    end();
    await clock.advance(1_000);
    assert.deepEqual([network.openIds, clock.pending, process.health.size], [[], 0, 0]);
  });

  test('finds out a few times that a node has died, and not once for each client', async () => {
    const { clock, network, all, connectedTo, end } = gateway();
    for (const { supervisor } of all) supervisor.start('test');
    await clock.advance(60_000);
    const lost = all.filter(({ supervisor }) => supervisor.current?.id === 'a');
    const before = network.dials.length;
    network.answer('a', refused);
    for (const { cut } of lost) cut();
    await clock.advance(3_000);
    assert.ok(lost.length > 150, `${lost.length} lost`);
    assert.ok(connectedTo().every((id) => id !== undefined && id !== 'a'));
    const dials = network.dials.slice(before).filter(({ id }) => id === 'a').length;
    assert.ok(dials >= 2 && dials <= 10, `${dials} dials of the dead node`);
    assert.ok(all.every(({ events }) => events.of('health').some(({ state }) => state === 'ejected')));
    end();
  });

  test('reaches the living beside nodes that swallow every dial, within seconds', async () => {
    const { clock, network, connectedTo, all, end } = gateway();
    for (const id of 'ab') network.answer(id, 'silent');
    for (const { supervisor } of all) supervisor.start('test');
    await clock.advance(4_000);
    assert.ok(connectedTo().every((id) => id !== undefined && !'ab'.includes(id)));
    assert.ok(network.most <= DIAL_BOUNDS.atOnce);
    end();
  });

  test('gives the places of clients that are ended to the others', async () => {
    const { clock, network, process, all, connectedTo, end } = gateway('ab');
    for (const id of 'ab') network.answer(id, 'silent');
    for (const { supervisor } of all) supervisor.start('test');
    await clock.advance(100);
    assert.equal(network.total, 2 * DIAL_BOUNDS.perAddress);
    const ended = all.filter((_, n) => n % 10 !== 0);
    for (const each of ended) each.end();
    for (const id of 'ab') network.answer(id, SLOWLY);
    await clock.advance(8_000);
    assert.equal(connectedTo().filter(Boolean).length, CLIENTS / 10);
    end();
    await clock.advance(1_000);
    assert.deepEqual([network.total, process.dialBudget.lanes, process.health.size], [0, 0, 0]);
  });

  test('tries a node that returns with one client first', async () => {
    const { clock, network, all, connectedTo, end } = gateway('ab', 50);
    network.answer('a', refused);
    for (const { supervisor } of all) supervisor.start('test');
    await clock.advance(40_000);
    assert.ok(connectedTo().every((id) => id === 'b'));
    const before = network.dials.length;
    network.answer('a', { afterMs: 500, gives: 'open' });
    // Everybody loses its link at once, when the ejection of a is over for all.
    for (const { cut } of all) cut();
    await clock.advance(200);
    const tries = network.dials.slice(before).filter(({ id }) => id === 'a').length;
    assert.equal(tries, 1);
    await clock.advance(2_000);
    assert.ok(connectedTo().every(Boolean));
    end();
  });

  test('of one client, nobody notices the budget', async () => {
    const { clock, network, all, connectedTo, end } = gateway('abcd', 1);
    const order = rank(
      'device-0',
      [...'abcd'].map((id) => endpoint(id)),
    ).map(({ id }) => id);
    for (const id of order.slice(0, 3)) network.answer(id, 'silent');
    all[0]!.supervisor.start('test');
    await clock.advance(5_100);
    assert.equal(connectedTo()[0], order[3]);
    assert.deepEqual(
      network.dials.map(({ at }) => at),
      [0, 250, 500, 5_000],
    );
    end();
  });
});

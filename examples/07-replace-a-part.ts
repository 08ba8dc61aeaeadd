/**
 * Parts can be replaced for one client: here the selector, which decides the order in which brokers are tried, and
 * chance, from which every spread and wait is drawn.
 *
 *     node --import tsx examples/07-replace-a-part.ts [url …]
 *
 * Prints:
 *
 *     usual order  gamma canary beta
 *     our order    gamma beta canary
 *     connected to gamma
 *     moved to beta; draws from our chance: 1
 */
import { once } from 'node:events';
import { connect, rank, type Selector, tokens } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const ids = ['beta', 'canary', 'gamma'];
const list = brokers.urls.map((url, i) => ({ url, id: ids[i] ?? `broker-${i}` }));
const clientId = 'sensor-17';

let asked = 0;
const client = connect(list, {
  clientId,
  overrides: (container) => {
    // Decorates the selector that is there: the same order, but the canary only when nothing else is left.
    const usual = container.resolve(tokens.selector);
    const canaryLast: Selector = {
      rank: (key, endpoints) =>
        [...usual.rank(key, endpoints)].sort((a, b) => Number(a.id === 'canary') - Number(b.id === 'canary')),
    };
    container.register(tokens.selector, { useValue: canaryLast });
    container.register(tokens.random, { useValue: { next: () => ++asked / 1_000 } });
  },
});

await once(client, 'connect');
const order = (endpoints: readonly { id: string }[]) => endpoints.map(({ id }) => id).join(' ');
console.log('usual order ', order(rank(clientId, list)));
console.log('our order   ', order(client.status().endpoints));

const { current, endpoints } = client.status();
console.log('connected to', current);
await brokers.kill(new URL(endpoints[0]!.url).host);
await once(client, 'connect');
console.log(`moved to ${client.status().current}; draws from our chance: ${asked}`);

await client.endAsync();
await brokers.stop();

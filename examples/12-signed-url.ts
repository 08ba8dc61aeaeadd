/**
 * A signed WebSocket URL for every attempt, as cloud brokers want it: `credentials` gives it for the broker that is dialed.
 *
 *     node --import tsx examples/12-signed-url.ts
 *
 * Prints:
 *
 *     signed a URL for a
 *     connected to a
 *     signed a URL for b
 *     connected to b
 *     without a signature: 1 refusal
 */
import { createHmac } from 'node:crypto';
import type { AedesOptions } from 'aedes';
import { connect } from 'mqtt-failover';
import { LocalBroker } from './brokers.js';

const SECRET = 'known to the brokers, and to who signs';
const sign = (expires: string) => createHmac('sha256', SECRET).update(expires).digest('base64url');

/** Brokers that let in whom a signature, not older than its time, comes with. */
const aedes = (): AedesOptions => ({
  authenticate: ({ req }, _name, _password, done) => {
    const query = new URL(req?.url ?? '', 'ws://broker').searchParams;
    const expires = query.get('expires') ?? '';
    done(null, query.get('signature') === sign(expires) && Number(expires) > Date.now());
  },
});
const brokers = [1, 2].map(() => new LocalBroker({ websocket: '/mqtt', aedes }));
await Promise.all(brokers.map((broker) => broker.start()));
const list = brokers.map(({ url }, n) => ({ id: 'ab'[n]!, url, priority: n }));

const client = connect(list, {
  clientId: 'desk-17',
  // In a page this is a request to your server, which knows the visitor and the secret.
  credentials: async ({ id, url }) => {
    console.log(`signed a URL for ${id}`);
    const expiresAt = Date.now() + 60_000;
    return { url: `${url}?expires=${expiresAt}&signature=${sign(`${expiresAt}`)}`, expiresAt };
  },
});

client.on('connect', async () => {
  const { current } = client.status();
  console.log(`connected to ${current}`);
  if (current === 'a') await brokers[0]?.kill();
  else client.end(intrude);
});

function intrude(): void {
  const intruder = connect([list[1]!], { clientId: 'intruder', reconnectPeriod: 0 });
  intruder.on('error', ({ cause }) => {
    console.log(`without a signature: ${(cause as AggregateError).errors.length} refusal`);
    intruder.end(() => brokers[1]?.kill());
  });
}

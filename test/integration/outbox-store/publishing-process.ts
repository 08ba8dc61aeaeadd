/**
 * A process that publishes into a store with no broker up, until it is killed.
 *
 * Arguments: the store, and the name of this life. Writes one line for each message that was stored.
 */
import { writeSync } from 'node:fs';
import { connect } from '../../../src/index.js';

const [store = '', life = ''] = process.argv.slice(2);
const BURST = 20;

const client = connect(['mqtt://127.0.0.1:9'], {
  clientId: 'pump',
  outbox: { store, maxMessages: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER },
});
client.on('storage-degraded', ({ reason, error }) => {
  // The last life was killed in the middle of a write.
  if (reason === 'corrupt') return;
  writeSync(2, `${error.message}\n`);
  process.exit(1);
});

let n = 0;
function burst(): void {
  for (let i = 0; i < BURST; i += 1) {
    n += 1;
    const line = `${life}:${n}`;
    client.publish('t', line, { qos: n % 3 === 0 ? 2 : 1, cbStorePut: () => writeSync(1, `${line}\n`) });
  }
  setTimeout(burst, 1);
}

burst();

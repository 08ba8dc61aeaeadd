/** The contract of the outbox, in a page: memory, IndexedDB by name, and a browser-level of the application. */
import { Level } from 'level';
import { browserPlatform as platform } from '../../../src/platform/browser.js';
import { browserDatabases as databases } from '../../../src/platform/browser-databases.js';
import { outboxContract } from '../../contract/outbox.js';

let count = 0;
function name(): string {
  count += 1;
  return `outbox-${count}`;
}

outboxContract('memory', { make: async () => undefined, platform });
outboxContract('IndexedDB', { make: async () => name(), databases, platform });
outboxContract('a browser-level of the application', { make: async () => new Level(name()), platform });

/** The contract of the outbox, in memory and over a database of `abstract-level`'s shape. */
import { nodePlatform as platform } from '../../../src/platform/node.js';
import { outboxContract } from '../../contract/outbox.js';
import { MemoryDatabase } from '../fakes/memory-database.js';

outboxContract('memory', { make: async () => undefined, platform });
outboxContract('a database', { make: async () => new MemoryDatabase(), platform });

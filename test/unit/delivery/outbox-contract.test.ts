/** The contract of the outbox, in memory and over a database of `abstract-level`'s shape. */
import { outboxContract } from '../../contract/outbox.js';
import { MemoryDatabase } from '../fakes/memory-database.js';

outboxContract('memory', { make: async () => undefined });
outboxContract('a database', { make: async () => new MemoryDatabase() });

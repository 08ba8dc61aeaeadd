/** What is loaded for a client with `outbox.store`. */
export { Backlog } from './backlog.js';
export { Stores } from './stores.js';

/** Messages that come back from the store. */
import type { PacketCallback } from 'mqtt';
import { createMessage, ignore, type Message } from '../message.js';
import type { RecordKey } from './keys.js';
import type { RecordContent } from './record.js';

/** Makes a message of a record of the store. */
export function storedMessage(
  { topic, payload, options }: RecordContent,
  { sequence, bytes }: RecordKey,
  publishedAt: number,
  settle: PacketCallback = ignore,
): Message {
  const message = createMessage(topic, payload, options, settle, publishedAt, () => 0);
  return Object.assign(message, { sequence, bytes });
}

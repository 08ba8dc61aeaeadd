/** Bytes that have crossed a channel are a bare `Uint8Array`; applications of MQTT.js expect a Buffer. */
// The package, also in Node, whose own module of this name no page has.
import { Buffer as PageBuffer } from 'buffer/index.js';

/** The same bytes as a Buffer. */
export function toBuffer(bytes: Uint8Array): Buffer {
  const buffer = PageBuffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  // The same class to whoever uses it; its types are only older.
  return buffer as unknown as Buffer;
}

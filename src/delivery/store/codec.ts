/** What may stand between a record and the database: encryption, compression. */

/** See `OutboxOptions.codec`. Both functions may be synchronous or asynchronous; what they throw is reported. R186. */
export interface OutboxCodec {
  /** What to write instead of `bytes`, which hold topic, payload and properties of one message. */
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** The bytes that {@link encode} was given. Throws for what it cannot read; the record then stays where it is. */
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

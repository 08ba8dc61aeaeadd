/** Response bodies of outside origin, read piece by piece and never beyond their limit. */
import type { Deadline } from './deadline.js';

/** `application/json`, or any type with the suffix `+json` (RFC 6839). A captive portal's page is neither (R58). */
export function isJson(contentType: string | null): boolean {
  const type = mediaType(contentType);
  return type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'));
}

/** The media type without parameters, in lower case. */
export function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/**
 * The body's pieces, decompressed, as they come.
 *
 * @throws the reason of the deadline's signal, or the platform's error when the connection breaks.
 */
export async function* chunks(
  body: ReadableStream<Uint8Array>,
  deadline: Deadline,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await deadline.race(reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    // Whatever comes now is of no interest, and neither is whether the peer minds.
    reader.cancel().catch(() => {});
  }
}

/**
 * The whole body as text, `maxBytes` after decompression at most (R57).
 *
 * @throws Error when it is longer, or not UTF-8.
 */
export async function readText(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  deadline: Deadline,
): Promise<string> {
  if (!body) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let size = 0;
  for await (const chunk of chunks(body, deadline)) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`the body is longer than ${maxBytes} bytes`);
    text += decode(decoder, chunk);
  }
  return text + decode(decoder);
}

function decode(decoder: TextDecoder, chunk?: Uint8Array): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch {
    throw new Error('the body is not UTF-8');
  }
}

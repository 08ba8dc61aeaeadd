/** Server-sent events over `fetch`, as `EventSource` cannot send headers (R63; WHATWG HTML §9.2). */
import { createParser } from 'eventsource-parser';
import { chunks, mediaType } from './body.js';
import { Deadline } from './deadline.js';
import { failure, NOT_OFFERED_MS } from './failure.js';
import { discard } from './http.js';
import { MAX_BODY_BYTES } from './limits.js';
import type { Channel } from './push.js';

const HEADERS_TIMEOUT_MS = 5_000;
/** A server that lives sends at least a comment in this time. */
const SILENCE_MS = 45_000;
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;

/** Each event of the type `message` holds a whole list. */
export const eventStream: Channel = async ({ source, http, clock, memory, signal, offer }) => {
  const deadline = new Deadline(clock, signal);
  deadline.allow(HEADERS_TIMEOUT_MS, 'no event stream');
  try {
    const resume = http.ownHeaders && memory.lastEventId ? { 'last-event-id': memory.lastEventId } : {};
    const response = await http.open(
      { target: source.target, accept: 'text/event-stream', headers: resume, cache: 'no-store' },
      deadline,
    );
    if (response.status === 204) return 'stop';
    if (mediaType(response.headers.get('content-type')) !== 'text/event-stream' || !response.body) {
      discard(response);
      throw failure(`${source.target.shown} offers no event stream`, { retryAfterMs: NOT_OFFERED_MS });
    }
    const decoder = new TextDecoder();
    const parser = createParser({
      maxBufferSize: MAX_BODY_BYTES,
      onEvent: ({ id, event, data }) => {
        // An id that is no header value cannot be sent back; an empty one resets.
        if (id !== undefined) memory.lastEventId = /^[\x21-\x7e]{1,256}$/.test(id) ? id : undefined;
        if (event === undefined || event === 'message') offer(() => source.read(data));
      },
      onRetry: (ms) => {
        memory.retryMs = Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, ms));
      },
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded')
          throw failure(`${source.target.shown} sent an event longer than ${MAX_BODY_BYTES} bytes`);
      },
    });
    // Of a CR that ends a piece, the parser would not make the end of a line before the next one has ended.
    let held = '';
    deadline.allow(SILENCE_MS, 'nothing from the event stream');
    for await (const chunk of chunks(response.body, deadline)) {
      deadline.allow(SILENCE_MS, 'nothing from the event stream');
      const text = held + decoder.decode(chunk, { stream: true });
      held = text.endsWith('\r') ? '\r' : '';
      parser.feed(text.slice(0, text.length - held.length));
    }
    return 'again';
  } finally {
    deadline.end();
  }
};

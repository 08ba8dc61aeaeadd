/** Counts and times what one client publishes, by standing before its `publish`: nothing of it is in the client. */
import type { FailoverClient } from '../public.js';

type Publish = FailoverClient['publish'];
type Callback = (error?: Error, packet?: unknown) => void;

/**
 * Calls `settled` for each publish of `client`, with its topic, error and duration in milliseconds, before the publish's
 * own callback.
 *
 * @returns a function that ends this.
 */
export function watchPublishes(
  client: FailoverClient,
  now: () => number,
  settled: (topic: string, ms: number, error: Error | undefined) => void,
): () => void {
  const before = Object.getOwnPropertyDescriptor(client, 'publish');
  const publish = client.publish as (...args: unknown[]) => FailoverClient;
  let isOn = true;
  const watched = function (this: FailoverClient, ...args: unknown[]): FailoverClient {
    if (!isOn) return publish.apply(this, args);
    const [topic, message, options, last] = args;
    const callback = (typeof options === 'function' ? options : last) as Callback | undefined;
    const since = now();
    const done: Callback = (error, packet) => {
      settled(String(topic), now() - since, error ?? undefined);
      callback?.(error, packet);
    };
    return publish.call(this, topic, message, typeof options === 'function' ? undefined : options, done);
  };
  client.publish = watched as Publish;
  return () => {
    isOn = false;
    // Somebody else may stand before us by now: then we only let pass.
    if (client.publish !== (watched as Publish)) return;
    if (before) Object.defineProperty(client, 'publish', before);
    else Reflect.deleteProperty(client, 'publish');
  };
}

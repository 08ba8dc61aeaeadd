/** Waiting for the first connection, as `connectAsync` does. */
import type { FailoverClient } from './client/client.js';

/** Settles as MQTT.js's `connectAsync` does: with the first `connect`, `end` or `error`. */
export function firstConnection(client: FailoverClient, allowRetries: boolean): Promise<FailoverClient> {
  return new Promise((resolve, reject) => {
    const done = () => {
      client.off('connect', onConnect);
      client.off('end', onConnect);
      client.off('error', onError);
      client.off('close', onClose);
    };
    const onConnect = () => {
      done();
      resolve(client);
    };
    const onError = (error: Error) => {
      done();
      client.end();
      reject(error);
    };
    const onClose = () => onError(new Error("Couldn't connect to server"));
    client.on('connect', onConnect);
    client.on('end', onConnect);
    client.on('error', onError);
    if (!allowRetries) client.on('close', onClose);
  });
}

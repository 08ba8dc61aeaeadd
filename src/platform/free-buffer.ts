/** Memory of array buffers, given back at once. */

/** ECMAScript 2024; browsers and Node 22 have it. */
type Transferable = ArrayBuffer & { transfer?: (length: number) => ArrayBuffer };

/** As `Platform.freeBuffer`, where engines can; nothing happens where they cannot. */
export function freeByTransfer(buffer: ArrayBuffer): void {
  (buffer as Transferable).transfer?.(0);
}

/** As `Platform.freeBuffer`, on every Node: 20 gives a buffer away with a message, and nobody receives this one. */
export function nodeFreeBuffer(): (buffer: ArrayBuffer) => void {
  if ('transfer' in ArrayBuffer.prototype) return freeByTransfer;
  let nobody: MessagePort | undefined;
  return (buffer) => {
    nobody ??= closedPort();
    nobody.postMessage(undefined, [buffer]);
  };
}

/** Takes what is transferred to it, and drops it; keeps no process alive. */
function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}

/** MQTT with a socket and `mqtt-packet` alone: as fast as a client in JavaScript can be. */
import { connect, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';

/** Where a broker listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An accepted connection. */
export interface RawLink {
  readonly socket: Socket;
  /** Sends a QoS 1 message and waits for its PUBACK. */
  publish(payload: string): Promise<void>;
}

/** Connects and waits for CONNACK. */
export function connectRaw({ host, port }: Address, clientId: string): Promise<RawLink> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    const incoming = parser({ protocolVersion: 4 });
    let acknowledged: () => void = () => {};
    const link: RawLink = {
      socket,
      publish: (payload) =>
        new Promise((done) => {
          acknowledged = done;
          const publish = { cmd: 'publish', topic: 'bench/raw', payload, qos: 1, messageId: 1 } as const;
          socket.write(generate({ ...publish, dup: false, retain: false }));
        }),
    };
    incoming.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connack') resolve(link);
      else if (packet.cmd === 'puback') acknowledged();
    });
    socket.on('data', (bytes: Buffer) => incoming.parse(bytes));
    socket.on('error', reject);
    socket.write(generate({ cmd: 'connect', clientId, clean: true, keepalive: 30, protocolVersion: 4 }));
  });
}

/** The least that a fail-over must do: connection, CONNECT, CONNACK, PUBLISH, PUBACK. */
export async function publishOnce(address: Address, clientId: string): Promise<void> {
  const { socket, publish } = await connectRaw(address, clientId);
  await publish(clientId);
  socket.destroy();
}

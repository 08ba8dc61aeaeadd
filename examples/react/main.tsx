/** A page with a connection of its own: who serves it, what a pump says, and a button that commands it. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { MqttProvider, useMqtt, useMqttStatus, useTopic } from './mqtt.js';

// `?brokers=ws://…,ws://…`; an application has a list, SRV records or a registry here.
const BROKERS = new URLSearchParams(location.search).get('brokers') ?? 'ws://127.0.0.1:8083,127.0.0.1:8084';

function Pump() {
  const client = useMqtt();
  const status = useMqttStatus();
  const speed = useTopic('pumps/17/speed');
  const waiting = status?.outbox.messages ?? 0;
  return (
    <main>
      <h1>Pump 17</h1>
      <p role="status">
        {status?.current
          ? `Connected to ${status.current}`
          : `Not connected (${status?.state ?? 'starting'})`}
      </p>
      <p>Speed: {speed ?? 'unknown'}</p>
      <button
        type="button"
        onClick={() => client?.publish('pumps/17/speed', '1200', { qos: 1, retain: true })}
      >
        Run at 1200
      </button>
      {waiting > 0 && <p>{waiting} waiting</p>}
    </main>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <MqttProvider brokers={BROKERS}>
      <Pump />
    </MqttProvider>
  </StrictMode>,
);

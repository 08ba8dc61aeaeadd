/**
 * Metrics for Prometheus: OpenTelemetry's own exporter, and one call for each client.
 *
 *     node --import tsx examples/10-prometheus.ts [url …]
 *
 * Prints what a scrape of http://127.0.0.1:<port>/metrics has after a fail-over, among others:
 *
 *     messaging_client_sent_messages_total{messaging_system="mqtt",…,server_port="40001"} 1
 *     mqtt_failover_failovers_total{server_address="127.0.0.1",server_port="40002",…} 1
 *     mqtt_failover_offline_duration_count{…} 1
 *     mqtt_failover_clients{mqtt_failover_client_state="connected",…} 1
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { connectAsync } from 'mqtt-failover';
import { instrument } from 'mqtt-failover/opentelemetry';
import { useBrokers } from './brokers.js';

// The exporter can listen by itself (port 9464); here it answers a server that the application has anyway.
const exporter = new PrometheusExporter({ preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [exporter] });
const server = createServer((request, response) => {
  if (request.url === '/metrics') exporter.getMetricsRequestHandler(request, response);
  else response.writeHead(404).end();
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;

const brokers = await useBrokers();
const client = await connectAsync(brokers.urls, { clientId: 'sensor-17' });
instrument(client, { meterProvider });

await brokers.kill(client.status().current);
await client.publishAsync('plant/level', '21.5', { qos: 1 });

const text = await (await fetch(url)).text();
for (const line of text.split('\n'))
  if (/^(messaging|mqtt_failover)/.test(line) && !line.includes('_bucket')) console.log(line);

await client.endAsync();
await brokers.stop();
server.close();
await meterProvider.shutdown();

/**
 * A client that finds its brokers in etcd, and hears of every change as it happens.
 *
 *     node --import tsx examples/registry/etcd/client.ts
 *
 * For trusted machines: etcd knows no read that is safe for everybody. Devices and browsers get a thin document
 * instead, see ../README.md. ETCD names another etcd than http://127.0.0.1:2379.
 */
import { connect } from 'mqtt-failover';

const etcd = process.env.ETCD ?? 'http://127.0.0.1:2379';

const client = connect(`registry+${etcd}/v3/kv/range?prefix=/mqtt/nodes/`, { clientId: 'sensor-17' });
client.on('topology', ({ added, removed }) => console.log(`added [${added}] removed [${removed}]`));
client.on('connect', () => console.log(`connected to ${client.status().current}`));
client.on('discovery-error', ({ error }) => console.log(error.message));

process.once('SIGTERM', () => client.end(true, () => process.exit(0)));

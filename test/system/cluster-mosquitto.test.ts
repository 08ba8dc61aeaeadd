// Three mosquitto nodes with a bridge between them, each with a certificate of its own: messages go from node to node,
// sessions stay.
import { after } from 'node:test';
import { clusterContract } from '../contract/cluster.js';
import { mosquittoCluster } from '../support/mosquitto-cluster.js';
import { certificateAuthority } from '../support/tls.js';

const authority = await certificateAuthority();
const { ca } = authority;
after(() => authority[Symbol.asyncDispose]());

const ALONE = 'each node keeps sessions of its own, in memory';

clusterContract({
  name: 'three mosquitto nodes with a bridge, over TLS',
  start: () => mosquittoCluster(3, authority),
  login: { ca, wsOptions: { ca } },
  traits: {
    versions: [5, 4],
    retained: 'everywhere',
    sessions: { is: 'stay', because: ALONE },
    sessionsOfDeadNodes: { is: 'are lost', because: ALONE },
    sharedSubscriptions: { is: 'one member at each node', because: 'nodes know only their own members' },
    acknowledged: { is: 'may die with the node', because: 'PUBACK does not wait for the bridge' },
    whileOneHangs: 'others serve',
    others: 'are left in peace',
    lastNode: 'serves',
  },
});

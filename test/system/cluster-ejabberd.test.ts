// Three ejabberd nodes: MQTT 5 from node to node.
import { clusterContract } from '../contract/cluster.js';
import { EJABBERD_LOGIN, ejabberdCluster } from '../support/ejabberd-cluster.js';
import { HASTE } from './fleet.js';

/** Milliseconds after which the clock shows another second for sure. */
const SAME_SECOND_MS = 1_500;

clusterContract({
  name: 'three ejabberd nodes',
  start: () => ejabberdCluster(3),
  login: EJABBERD_LOGIN,
  // A client that fails over and goes home within the second is cut off as if somebody else had its id.
  options: { failback: { ...HASTE.failback, dwellMs: SAME_SECOND_MS } },
  traits: {
    versions: [5, 4],
    retained: { is: 'at one node', because: 'ejabberd 23.01 keeps them in a local table' },
    sessions: 'move',
    sessionsOfDeadNodes: { is: 'are lost', because: 'a session lives in the memory of one node' },
    sharedSubscriptions: { is: 'refused', because: 'ejabberd 23.01 announces that it has none' },
    acknowledged: 'kept',
    whileOneHangs: { is: 'others may wait', because: 'every CONNECT is a transaction of all nodes' },
    tellsApartMs: {
      is: SAME_SECOND_MS,
      because: 'ejabberd 23.01 orders the sessions of a client by a clock of seconds',
    },
    others: { is: 'may be closed', because: 'a publish that meets the loss ends with DISCONNECT 0x83' },
    lastNode: 'serves',
  },
});

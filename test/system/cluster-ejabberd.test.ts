// Three ejabberd nodes: MQTT 5 from node to node.
import { clusterContract } from '../contract/cluster.js';
import { EJABBERD_LOGIN, ejabberdCluster } from '../support/ejabberd-cluster.js';

clusterContract({
  name: 'three ejabberd nodes',
  start: () => ejabberdCluster(3),
  login: EJABBERD_LOGIN,
  traits: {
    versions: [5, 4],
    retained: { is: 'at one node', because: 'ejabberd 23.01 keeps them in a local table' },
    sessions: 'move',
    sessionsOfDeadNodes: { is: 'are lost', because: 'a session lives in the memory of one node' },
    sharedSubscriptions: { is: 'refused', because: 'ejabberd 23.01 announces that it has none' },
    acknowledged: 'kept',
    whileOneHangs: { is: 'others may wait', because: 'every CONNECT is a transaction of all nodes' },
    tellsApartMs: {
      is: 1_500,
      because: 'ejabberd 23.01 orders the sessions of a client by a clock of seconds',
    },
    others: { is: 'may be closed', because: 'a publish that meets the loss ends with DISCONNECT 0x83' },
    lastNode: 'serves',
  },
});

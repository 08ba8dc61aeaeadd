// Three aedes processes over one Redis: shared sessions, the everyday cluster.
import { clusterContract } from '../contract/cluster.js';
import { redisCluster } from '../support/redis-cluster.js';

clusterContract({
  name: 'three aedes processes over one Redis',
  start: () => redisCluster(3),
  traits: {
    versions: [4],
    refuses: { 5: { is: 'ERR_REFUSED', because: 'aedes 1.2 answers return code 1' } },
    retained: 'everywhere',
    sessions: 'move',
    sessionsOfDeadNodes: 'survive',
    sharedSubscriptions: { is: 'nobody', because: 'aedes takes the filter for an ordinary one' },
    acknowledged: { is: 'may die with the node', because: 'PUBACK does not wait until the others have it' },
    whileOneHangs: 'others serve',
    others: 'are left in peace',
    lastNode: 'serves',
  },
});

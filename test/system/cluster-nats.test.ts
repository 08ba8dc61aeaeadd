// Three NATS servers with JetStream: sessions follow the client, streams in three copies, served by a majority.
import { clusterContract } from '../contract/cluster.js';
import { natsCluster } from '../support/nats-cluster.js';

clusterContract({
  name: 'three NATS servers with JetStream',
  start: () => natsCluster(3),
  traits: {
    versions: [4],
    refuses: { 5: { is: 'ERR_REFUSED', because: 'NATS 2.9 answers return code 1' } },
    retained: 'everywhere',
    sessions: 'move',
    sessionsOfDeadNodes: 'survive',
    sharedSubscriptions: { is: 'nobody', because: 'NATS 2.9 takes the filter for an ordinary one' },
    acknowledged: 'kept',
    whileOneHangs: {
      is: 'others may wait',
      because: 'streams that were led by the node that hangs elect another leader after 4 to 20 s',
    },
    others: {
      is: 'may be closed',
      because: 'a node answers nothing, pings included, while a stream that it serves has no leader',
    },
    lastNode: { is: 'is silent', because: 'JetStream needs a majority' },
  },
  recoverMs: 60_000,
  // Each takes a second: a session is a stream to be found and opened.
  moves: 6,
});

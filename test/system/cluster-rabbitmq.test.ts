// Three RabbitMQ nodes with quorum queues: sessions follow the client and survive their node.
import { clusterContract } from '../contract/cluster.js';
import { rabbitmqCluster } from '../support/rabbitmq-cluster.js';

clusterContract({
  name: 'three RabbitMQ nodes with quorum queues',
  start: () => rabbitmqCluster(3),
  traits: {
    versions: [4],
    refuses: { 5: { is: 'ERR_LINK', because: 'RabbitMQ 3.10 closes the connection without a word' } },
    retained: { is: 'at one node', because: 'RabbitMQ 3.10 stores them locally' },
    sessions: 'move',
    sessionsOfDeadNodes: 'survive',
    sharedSubscriptions: { is: 'nobody', because: 'RabbitMQ 3.10 takes the filter for an ordinary one' },
    acknowledged: 'kept',
    whileOneHangs: {
      is: 'others may wait',
      because: 'whoever declares a queue waits for all nodes, for a minute (net_ticktime)',
    },
    others: 'are left in peace',
    lastNode: { is: 'refuses', because: 'pause_minority closes the listeners of a minority' },
    returnsMs: {
      is: 300_000,
      because: 'nodes that start together may wait for each other, measured: from 9 to 143 s',
    },
  },
  fleet: {
    is: 'persistent',
    because: 'queues of clean sessions die with their node, and their names cannot be used until it is back',
  },
  recoverMs: 60_000,
});

/** What the shipped bundle, `dist/mqtt-failover.min.js`, defines in a page. */
declare const mqttFailover: typeof import('mqtt-failover');

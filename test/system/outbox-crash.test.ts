/** The crashes of the integration suite, as many as are promised: two hundred. */
process.env.MQTT_FAILOVER_CRASHES ??= '200';
await import('../integration/outbox-crash.test.js');

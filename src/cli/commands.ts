/** The table of commands: what can be typed, and what the help says of it. */

import { SCENARIO_NAMES } from '../simulator/scenarios.js';
import type { Command } from './command.js';
import { DISCOVERY_OPTIONS, SESSION_OPTIONS } from './discovery.js';

const BROKERS = { type: 'string', value: '<list>', required: true, help: 'the brokers' } as const;
const TRACE = {
  type: 'boolean',
  help: 'tell each step of connecting and failing over on stderr, with its time',
} as const;
const SECONDS = { type: 'string', value: '<seconds>' } as const;

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'where',
    operands: ['<clientId>'],
    summary: 'ranking of the brokers for one client id, and why each is or is not eligible',
    details: [
      'The list is resolved live: SRV records and registries are asked. The order is the one that the client itself would use; the first is its home.',
      'Exit code 1: the list could not be obtained, or no broker is eligible.',
    ],
    options: {
      brokers: BROKERS,
      zone: { type: 'string', value: '<zone>', help: 'brokers of this zone first' },
      ...DISCOVERY_OPTIONS,
    },
    example: 'where pump-17 --brokers mqtts://a.example.com,b.example.com,c.example.com',
    load: async () => (await import('./where.js')).where,
  },
  {
    name: 'plan',
    operands: [],
    summary: 'who moves when the list changes, and the load of each broker before and after',
    details: [
      "A broker that is draining, down or not allowed is nobody's home. A move is needless when neither the old home lost (left, lighter, worse tier) nor the new one gained (new, heavier, better tier): consistent placement has none.",
      'Exit code 1: a list could not be obtained, or a move was needless.',
    ],
    options: {
      from: { ...BROKERS, help: 'the list as it is' },
      to: { ...BROKERS, help: 'the list as it will be' },
      ids: {
        type: 'string',
        value: '<count or file>',
        required: true,
        help: 'how many client ids to make up, a file with one a line, or - for stdin',
      },
      zone: { type: 'string', value: '<zone>', help: 'the zone that the clients are in' },
      svg: { type: 'string', value: '<file>', help: 'also write a bar chart' },
      ...DISCOVERY_OPTIONS,
    },
    example: 'plan --from a=mqtt://a,b=mqtt://b --to a=mqtt://a,b=mqtt://b,c=mqtt://c --ids 100000',
    load: async () => (await import('./plan/plan.js')).plan,
  },
  {
    name: 'simulate',
    operands: ['<scenario>'],
    summary: 'what a fleet does to a cluster when something happens: storms, recovery, placement',
    details: [
      `A scenario is one of ${SCENARIO_NAMES.join(', ')}. The clients are the library itself, each a device of its own; brokers, network and time are modelled. The same seed gives the same run.`,
      'docs/simulator.md defines every figure. A hundred thousand clients take a minute and more, and up to 2 GB of memory.',
      'Exit code 1: a client was not back at the end, or moved needlessly.',
    ],
    options: {
      clients: { type: 'string', value: '<n>', help: 'clients of the fleet; 1000 unless given' },
      endpoints: {
        type: 'string',
        value: '<n>',
        help: 'broker nodes; 5 unless given (scale-out 10, zone-loss 6)',
      },
      seed: { type: 'string', value: '<n>', help: 'of all chance; 1 unless given' },
      'spread-ms': {
        type: 'string',
        value: '<ms>',
        help: 'how wide the list asks the fleet to spread after a loss',
      },
      policy: {
        type: 'string',
        value: '<ours|list-walker|full-jitter>',
        help: 'whose clients: ours, those of MQTT.js with servers, or backoff with full jitter at random servers',
      },
      handshakes: {
        type: 'string',
        value: '<n>',
        help: 'CONNECTs that a node answers in a second; 5000 unless given',
      },
      svg: {
        type: 'string',
        value: '<file>',
        help: 'also write charts of the CONNECT rate and of placement',
      },
    },
    example: 'simulate node-dies --clients 10000 --endpoints 5 --seed 1 --spread-ms 10000',
    load: async () => (await import('./simulate/simulate.js')).simulate,
  },
  {
    name: 'doctor',
    operands: ['<list>'],
    summary: 'checks each broker step by step: names, TCP, TLS, WebSocket, CONNECT, round trip, limits',
    details: [
      'One CONNECT for each broker, with a throw-away client id, Clean Start and no will; MQTT 5 first, then 3.1.1. Nothing is published or subscribed.',
      'Exit code 1: a problem was found; docs/cli.md lists their codes.',
    ],
    options: {
      timeout: { ...SECONDS, help: 'for each step; 5 unless given' },
      ...SESSION_OPTIONS,
      ...DISCOVERY_OPTIONS,
    },
    example: 'doctor mqtts+srv://example.com --username monitor',
    load: async () => (await import('./doctor/doctor.js')).doctor,
  },
  {
    name: 'watch',
    operands: ['<list>'],
    summary: 'live discovery and health: a line for every change, until interrupted',
    details: [
      'Health is whether a transport (TCP, TLS, WebSocket) opens; no CONNECT is sent. With --json, one JSON document a line.',
      'Exit code 1: no list could be obtained, or at the end no broker was healthy.',
    ],
    options: {
      for: { ...SECONDS, help: 'end after this long' },
      interval: { ...SECONDS, help: 'between two looks at each broker; 10 unless given' },
      ca: SESSION_OPTIONS.ca as (typeof SESSION_OPTIONS)[string],
      ...DISCOVERY_OPTIONS,
    },
    example: 'watch registry+https://registry.example.com/nodes.json --interval 5',
    load: async () => (await import('./watch.js')).watch,
  },
  {
    name: 'pub',
    operands: ['<topic>', '[message]'],
    summary: 'publishes a message, or what comes on stdin, through the outbox',
    details: [
      'Without a message, all of stdin is one message; with --lines each line is one, and stdin is read as fast as brokers acknowledge. Fail-overs are survived.',
      'Exit code 1: something was not delivered.',
    ],
    options: {
      brokers: BROKERS,
      qos: { type: 'string', value: '<0|1|2>', help: '1 unless given' },
      retain: { type: 'boolean', help: 'publish as retained' },
      lines: { type: 'boolean', help: 'each line of stdin is a message' },
      timeout: { ...SECONDS, help: 'how long to wait for acknowledgements at the end; 10 unless given' },
      trace: TRACE,
      'client-id': { type: 'string', value: '<id>', help: 'decides the broker; made up unless given' },
      ...SESSION_OPTIONS,
      ...DISCOVERY_OPTIONS,
    },
    example: 'pub plant/level 21.5 --brokers mqtt://a,b,c',
    load: async () => (await import('./pub.js')).pub,
  },
  {
    name: 'sub',
    operands: ['<filter…>'],
    summary: 'prints what is published, a message a line, across fail-overs',
    details: [
      'With --json, one JSON document a line: { topic, payload, qos, retain }; a payload that is not UTF-8 is base64, with "encoding": "base64".',
      'Exit code 1: a filter was refused, or --for ended before --count messages came or before a broker had answered.',
    ],
    options: {
      brokers: BROKERS,
      qos: { type: 'string', value: '<0|1|2>', help: '1 unless given' },
      count: { type: 'string', value: '<n>', help: 'end after so many messages' },
      for: { ...SECONDS, help: 'end after this long' },
      topics: { type: 'boolean', help: 'print the topic before each payload' },
      trace: TRACE,
      'client-id': { type: 'string', value: '<id>', help: 'decides the broker; made up unless given' },
      ...SESSION_OPTIONS,
      ...DISCOVERY_OPTIONS,
    },
    example: "sub 'plant/+/level' --brokers mqtt://a,b,c --count 10",
    load: async () => (await import('./sub.js')).sub,
  },
  {
    name: 'registry lint',
    operands: ['<file|url>'],
    summary: 'checks a registry document as clients would',
    details: [
      'Errors are what clients refuse: the document, or single nodes. Warnings are nodes that they would skip: plain schemes, hosts outside the domain of the registry.',
      'Exit code 1: there are errors.',
    ],
    options: {
      'served-at': {
        type: 'string',
        value: '<url>',
        help: 'where a file will be served, to judge its hosts',
      },
      ...DISCOVERY_OPTIONS,
    },
    example: 'registry lint nodes.json --served-at https://registry.example.com/nodes.json',
    load: async () => (await import('./registry-lint.js')).registryLint,
  },
];

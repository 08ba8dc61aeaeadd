// The README's section of the comparison benchmark, and docs/benchmark.md with all of it.
import { COMPARISON_FILE, type Comparison, digits, duration, type Measured } from './comparison.js';

const START = '<!-- comparison:start -->';
const END = '<!-- comparison:end -->';
const OURS = 'mqtt-failover';
const DIRECT = 'MQTT.js, direct';

const FAULTS = [
  ['crash', 'Crash', '`kill -9`; the port refuses.'],
  ['hang', 'Hang', '`SIGSTOP`; every connection stays open.'],
  ['syn-drop', 'SYN drop', 'The connections break, and the host drops every SYN from then on.'],
  [
    'silent-accept',
    'Silent accept',
    'The connections break; the port accepts new ones, and nobody answers on them.',
  ],
] as const;

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

const bold = (name: string, text: string) => (name === OURS ? `**${text}**` : text);

const picture = (name: string, alt: string, folder: string) =>
  [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${folder}charts/${name}-dark.svg">`,
    `  <img src="${folder}charts/${name}-light.svg" width="960" alt="${alt}">`,
    '</picture>',
  ].join('\n');

/** Date, versions, machine and command, in one paragraph. */
function conditions({ conditions: of }: Comparison): string {
  const { packages, programs } = of;
  const versions = [
    `MQTT.js ${packages.mqtt}`,
    `Paho ${packages['paho-mqtt']}`,
    `mosquitto ${programs.mosquitto}`,
    `HAProxy ${programs.haproxy}`,
    `nginx ${programs.nginx}`,
    `Node ${of.node.replace('v', '')}`,
  ].join(', ');
  const busy =
    of.load > of.cores / 2
      ? ` **The machine was busy with other work (load ${digits(of.load)} on ${of.cores} cores): the figures show that everything works, and are to be measured again.**`
      : ` Load of the machine before the run: ${digits(of.load)}.`;
  return `\`${of.command}\`, ${of.date.slice(0, 10)}, commit ${of.commit ?? 'unknown'}, ${versions}, ${of.cores} × ${of.cpu}.${busy}`;
}

/** Median of a wait, or that it was longer than the cap. */
const wait = ({ median, capMs }: Measured) => duration(median, capMs);

const ratio = (measured: Measured, base: Measured) => digits(measured.median / base.median);

/** The README with its section as it should be. */
export function withComparison(readme: string, comparison: Comparison): string {
  const [before, rest = ''] = readme.split(START);
  const [, after] = rest.split(END);
  if (after === undefined) throw new Error(`README.md has no ${START} … ${END}`);
  return [before, START, '\n', readmeSection(comparison), '\n', END, after].join('');
}

function readmeSection(comparison: Comparison): string {
  const names = comparison.group('crash', 'publisher gap').map(({ name }) => name);
  const rows = names.map((name) => [
    bold(name, name),
    ...FAULTS.map(([scenario]) =>
      bold(
        name,
        `${wait(comparison.of(scenario, 'publisher gap', name))} · ${wait(comparison.of(scenario, 'subscriber gap', name))}`,
      ),
    ),
    ...['lost', 'refused', 'duplicates'].map((count) =>
      bold(
        name,
        digitless(FAULTS.reduce((sum, [scenario]) => sum + comparison.total(scenario, count, name), 0)),
      ),
    ),
  ]);
  return [
    conditions(comparison),
    '',
    picture(
      'fail-over',
      'Bars: how long publishers and subscribers of each contestant are cut off by a crash, a hang, dropped SYNs and a silent port.',
      'docs/',
    ),
    '',
    'How long a publisher · a subscriber is cut off, medians, and QoS 1 messages of all rounds:',
    '',
    table(['client', ...FAULTS.map(([, title]) => title), 'lost', 'refused', 'twice'], rows),
    '',
    loadTable(comparison),
    '',
    'Everything, with spread and ratios, what is behind each row, and where others are ahead: [docs/benchmark.md](docs/benchmark.md).',
  ].join('\n');
}

const digitless = (count: number) => String(Math.round(count));

/** One line for each contestant under load. */
function loadTable(comparison: Comparison): string {
  const throughput = comparison.group('load', 'QoS 1 throughput');
  const of = (group: string, name: string) => comparison.of('load', group, name);
  const memory = (name: string) =>
    comparison.of('memory', 'process', name === DIRECT ? 'MQTT.js, servers' : name);
  const direct = comparison.of('load', 'QoS 1 throughput', DIRECT);
  return table(
    [
      'connected, QoS 1',
      'messages/s',
      '÷ direct',
      'latency p50 · p99',
      'CPU µs/message',
      'in the balancer',
      'KiB/client',
    ],
    throughput.map((measured) => {
      const { name, median } = measured;
      return [
        name,
        digits(median),
        ratio(measured, direct),
        `${wait(of('QoS 1 latency p50', name))} · ${wait(of('QoS 1 latency p99', name))}`,
        digits(of('QoS 1 client CPU', name).median),
        balancerCpu(of('QoS 1 balancer CPU', name)),
        digits(memory(name).median),
      ].map((text) => bold(name, text));
    }),
  );
}

const balancerCpu = ({ name, median }: Measured) => (/HAProxy|nginx/.test(name) ? digits(median) : 'none');

/** docs/benchmark.md as it should be. */
export function benchmarkPage(comparison: Comparison): string {
  return [
    '# The comparison benchmark',
    '',
    `<!-- Generated by \`npm run docs\` from ${COMPARISON_FILE}. -->`,
    '',
    conditions(comparison),
    '',
    'The samples are in [`comparison.json`](../bench/published/comparison.json). To measure again, on a machine that does nothing',
    'else: `npm run bench -- comparison --json bench/published/comparison.json`, then `npm run docs`. It needs Linux, root (for the',
    'silent port), and the Debian packages `mosquitto haproxy nginx libnginx-mod-stream iproute2`.',
    '',
    '## Who is compared',
    '',
    table(
      ['client', 'set up as'],
      [
        ['mqtt-failover', 'the list of the three nodes; defaults'],
        [
          'mqtt-failover, spreadMs: 0',
          'without the spread of the first attempt after a loss, which is 100 ms by default',
        ],
        ['MQTT.js, servers', 'the same list as `servers`; defaults'],
        [
          'MQTT.js, HAProxy',
          'behind HAProxy: sticky by client id, a health check that waits for CONNACK, sessions of a failed node are closed; default timing (every 2 s, three failures)',
        ],
        ['MQTT.js, HAProxy 500 ms', 'the same, checked every 500 ms, two failures'],
        [
          'MQTT.js, nginx',
          'behind nginx `stream`, `least_conn`; it cannot see client ids, and its free version does not check health by itself',
        ],
        [
          'Paho, hosts',
          "Paho's JavaScript client over WebSocket with `hosts`; its own `reconnect` tries only the first host, so the application connects again at once, and subscribes again",
        ],
      ],
    ),
    '',
    'Brokers are three mosquitto processes (five for the storm), the same for everybody. Balancers, brokers and clients share one',
    'machine, so there is no network between them: a real one adds its round trips to every row, and one more hop to those behind',
    'a balancer. A crash is measured in turns, as it is a matter of milliseconds; everything else in the same moment for all.',
    '',
    '## Fail-over',
    '',
    picture('fail-over', 'Bars: how long publishers and subscribers are cut off.', ''),
    '',
    'Publisher: from the fault to the first acknowledgement of a message that another node took, while it publishes at QoS 1 every',
    '20 ms. Subscriber: to the first message from another node; it publishes nothing, and every node is fed every 10 ms. New client:',
    'from `connect()` right after the fault, of a client that was on this node before, to CONNACK. Lost: neither delivered nor',
    'refused. Refused: the application was told at once, and has to keep the message itself. Waiting: at clients that were not back',
    'within the time that was waited.',
    '',
    ...FAULTS.flatMap(([scenario, title, text]) => faultSection(comparison, scenario, title, text)),
    '## Connected',
    '',
    picture('load', 'Bars: messages per second at QoS 0, 1 and 2, and latency.', ''),
    '',
    ...[0, 1, 2].flatMap((qos) => [loadSection(comparison, qos), '']),
    ...notes(comparison, 'load'),
    '## Memory',
    '',
    memorySection(comparison),
    '',
    ...notes(comparison, 'memory'),
    '## Rolling restart',
    '',
    picture('rolling-restart', 'Bars: clients on the fullest node before and after a rolling restart.', ''),
    '',
    restartSection(comparison),
    '',
    ...notes(comparison, 'rolling-restart'),
    '## Connection storm',
    '',
    picture('storm', 'Lines: CONNECTs per 100 ms after the death of a node.', ''),
    '',
    stormSection(comparison),
    '',
    ...notes(comparison, 'storm'),
    '## What was promised',
    '',
    targetSection(comparison),
    '',
  ].join('\n');
}

function notes(comparison: Comparison, scenario: string): string[] {
  return comparison.scenario(scenario).notes.flatMap((note) => [note, '']);
}

function spreadOf({ p10, p90, capMs }: Measured): string {
  return `${duration(p10, capMs)} – ${duration(p90, capMs)}`;
}

function faultSection(comparison: Comparison, scenario: string, title: string, text: string): string[] {
  const publisher = comparison.group(scenario, 'publisher gap');
  const of = (group: string, name: string) => comparison.of(scenario, group, name);
  const rows = publisher.map((measured) => {
    const { name } = measured;
    const subscriber = of('subscriber gap', name);
    const newcomer = of('new client', name);
    const ours = (group: string) => of(group, OURS);
    return [
      name,
      wait(measured),
      spreadOf(measured),
      ratio(measured, ours('publisher gap')),
      wait(subscriber),
      spreadOf(subscriber),
      ratio(subscriber, ours('subscriber gap')),
      wait(newcomer),
      ...['lost', 'refused', 'waiting', 'duplicates', 'published'].map((count) =>
        digitless(comparison.total(scenario, count, name)),
      ),
    ].map((cell) => bold(name, cell));
  });
  const head = [
    'client',
    'publisher',
    'p10 – p90',
    '÷ ours',
    'subscriber',
    'p10 – p90',
    '÷ ours',
    'new client',
    'lost',
    'refused',
    'waiting',
    'twice',
    'of',
  ];
  const { rounds } = comparison.scenario(scenario);
  return [
    `### ${title}`,
    '',
    `${text} ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, three clients of each role.`,
    '',
    table(head, rows),
    '',
  ];
}

function loadSection(comparison: Comparison, qos: number): string {
  const throughput = comparison.group('load', `QoS ${qos} throughput`);
  const direct = comparison.of('load', `QoS ${qos} throughput`, DIRECT);
  const of = (group: string, name: string) => comparison.of('load', `QoS ${qos} ${group}`, name);
  return table(
    [
      `QoS ${qos}`,
      'messages/s',
      'p10 – p90',
      '÷ direct',
      'latency p50',
      'p99',
      'CPU µs/message',
      'in the balancer',
    ],
    throughput.map((measured) => {
      const { name, median, p10, p90 } = measured;
      return [
        name,
        digits(median),
        `${digits(p10)} – ${digits(p90)}`,
        ratio(measured, direct),
        wait(of('latency p50', name)),
        wait(of('latency p99', name)),
        digits(of('client CPU', name).median),
        balancerCpu(of('balancer CPU', name)),
      ].map((cell) => bold(name, cell));
    }),
  );
}

function memorySection(comparison: Comparison): string {
  const process = comparison.group('memory', 'process');
  const direct = comparison.of('memory', 'process', 'MQTT.js, servers');
  const of = (group: string, name: string) => comparison.of('memory', group, name);
  return table(
    ['KiB for each of 1 000 clients', 'process', 'p10 – p90', '÷ MQTT.js', 'of it heap', 'in the balancer'],
    process.map((measured) => {
      const { name, median, p10, p90 } = measured;
      return [
        name,
        digits(median),
        `${digits(p10)} – ${digits(p90)}`,
        ratio(measured, direct),
        digits(of('heap', name).median),
        balancerCpu(of('balancer', name)),
      ].map((cell) => bold(name, cell));
    }),
  );
}

function restartSection(comparison: Comparison): string {
  const after = comparison.group('rolling-restart', 'after');
  return table(
    ['fullest of three nodes ÷ mean', 'before', 'after', 'p10 – p90', 'not connected'],
    after.map(({ name, median, p10, p90 }) =>
      [
        name,
        digits(comparison.of('rolling-restart', 'before', name).median),
        digits(median),
        `${digits(p10)} – ${digits(p90)}`,
        digitless(comparison.total('rolling-restart', 'unreachable', name)),
      ].map((cell) => bold(name, cell)),
    ),
  );
}

function stormSection(comparison: Comparison): string {
  const of = (group: string, name: string) => comparison.of('storm', group, name);
  return table(
    ['client', 'peak per 100 ms', 'p10 – p90', 'CONNECTs per client', 'all back', 'on the fullest survivor'],
    comparison
      .group('storm', 'peak')
      .map(({ name, median, p10, p90 }) =>
        [
          name,
          digits(median),
          `${digits(p10)} – ${digits(p90)}`,
          digits(of('attempts per client', name).median),
          wait(of('all back', name)),
          `${Math.round(100 * of('fullest survivor', name).median)} %`,
        ].map((cell) => bold(name, cell)),
      ),
  );
}

function targetSection(comparison: Comparison): string {
  return table(
    ['promise', 'measured', 'at most', ''],
    comparison.scenarios.flatMap(({ name, targets }) =>
      targets.map(({ what, value, limit, unit, met }) => [
        `${name}: ${what}`,
        `${value === null ? '∞' : unit === '' ? String(value) : digits(value)} ${unit}`.trim(),
        `${unit === '' ? limit : digits(limit)} ${unit}`.trim(),
        met ? 'kept' : '**missed**',
      ]),
    ),
  );
}

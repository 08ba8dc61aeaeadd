// Who may import whom in src/. `npm run check:deps` enforces it.

/** A package with one home: everyone else uses what that home offers. */
const only = (home, packages, comment) => ({
  name: `${packages[0]}-has-one-home`,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${home}` },
  to: { path: `^(node_modules/)?(${packages.join('|')})(/|$)` },
});

/** Lower layers do not call the higher ones; to know their types is fine. */
const below = (folders, higher) => ({
  name: `${folders.join('-')}-stay-below`,
  comment: `${folders.join(', ')} must not import values from ${higher.join(', ')}.`,
  severity: 'error',
  from: { path: `^src/(${folders.join('|')})/` },
  to: { path: `^src/(${higher.join('|')})(/|\\.ts$)`, dependencyTypesNot: ['type-only'] },
});

const TOP = ['index', 'browser', 'connect', 'client', 'di', 'simulator', 'cli'];

export default {
  forbidden: [
    only(
      'di/tsyringe-container\\.ts',
      ['tsyringe', 'reflect-metadata'],
      'One file knows tsyringe: pages do not load it.',
    ),
    only(
      '(delivery/queue-gate|dial/dial-budget)\\.ts',
      ['p-queue'],
      'p-queue gates replay and dials, and nothing else: what waits is stored elsewhere.',
    ),
    only('cli/', ['cli-table3'], 'Applications that import the library load nothing of the command line.'),
    {
      name: 'cli-is-a-program',
      comment: 'Nothing imports the command line.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    only(
      'opentelemetry/',
      ['@opentelemetry'],
      'An entry of its own: who does not import it loads nothing of it.',
    ),
    {
      name: 'opentelemetry-is-an-entry',
      comment: 'It watches clients from outside, by what is public; nothing imports it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/opentelemetry/' },
      to: { path: '^src/opentelemetry/' },
    },
    {
      name: 'opentelemetry-watches-from-outside',
      comment: 'Its bundle holds no second copy of the library.',
      severity: 'error',
      from: { path: '^src/opentelemetry/' },
      to: { path: '^src/(?!opentelemetry/|platform/monotonic)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'simulator-is-a-tool',
      comment: 'The simulator drives the library; no application that imports the library loads it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(simulator|cli)/' },
      to: { path: '^src/simulator/' },
    },
    {
      name: 'simulator-needs-no-mqtt',
      comment: 'The simulator has MQTT and the network of its own; the container would be its greatest cost.',
      severity: 'error',
      from: { path: '^src/simulator/' },
      to: {
        path: '^(src/(di|delivery|tabs)/|node_modules/(mqtt|tsyringe|p-queue|ws)/)',
        dependencyTypesNot: ['type-only'],
      },
    },
    only('platform/', ['ws'], 'Only src/platform opens sockets.'),
    only('discovery/dns/decode\\.ts', ['dns-packet'], 'Loaded lazily, in one place.'),
    only('tabs/bytes\\.ts', ['buffer'], 'Loaded lazily, in one place, as dns-packet loads it.'),
    {
      name: 'node-has-one-home',
      comment: 'Only src/platform knows where it runs, and the command line, which runs in Node alone.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(platform|cli)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'browser-is-free-of-node',
      comment: 'Nothing that the browser build reaches may need Node or ws.',
      severity: 'error',
      from: { path: '^src/browser\\.ts$' },
      to: { path: '^(src/platform/node|src/di/tools-node|node_modules/ws/)', reachable: true },
    },
    below(
      ['brokers', 'selection', 'health', 'mqtt'],
      ['discovery', 'dial', 'session', 'connection', 'delivery', ...TOP],
    ),
    below(['discovery', 'dial'], ['session', 'connection', 'delivery', ...TOP]),
    below(['session'], ['connection', 'delivery', ...TOP]),
    below(['connection', 'delivery', 'platform', 'tabs'], TOP),
    {
      name: 'platform-through-ports',
      comment: 'The core sees interfaces; the entry points choose the implementation.',
      severity: 'error',
      from: { path: '^src/(selection|health|discovery|dial|session|mqtt|connection|delivery|tabs)/' },
      to: { path: '^src/platform/(node|browser)' },
    },
    {
      name: 'no-cycles',
      comment: 'Modules that import each other at run time cannot be understood, or loaded, one by one.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'shipped-code-uses-shipped-packages',
      comment: 'What src imports must be a dependency or a peer, and never a test.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|scripts|dist)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};

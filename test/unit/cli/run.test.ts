// Every wrong command line is one line and exit code 2; help is made of the table of commands.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMMANDS } from '../../../src/cli/commands.js';
import { run } from '../../../src/cli/run.js';
import { fakeTerminal } from './fake-terminal.js';

const A = 'mqtt://127.0.0.1:1';

/** What is typed, and what the one line must say. */
const WRONG: readonly (readonly [line: string, says: RegExp])[] = [
  ['', /which command\? See mqtt-failover --help/],
  ['wher x', /unknown command "wher"; did you mean mqtt-failover where\?/],
  ['dcotor x', /did you mean mqtt-failover doctor\?/],
  ['publish t m', /did you mean mqtt-failover pub\?|known are where/],
  ['zzzzzzzz', /unknown command "zzzzzzzz"; known are where, plan, simulate, doctor/],
  ['registry', /registry must be followed by lint, got nothing/],
  [
    'registry lnit x',
    /registry must be followed by lint, got "lnit"; did you mean mqtt-failover registry lint\?/,
  ],
  ['registry lint', /<file\|url> is missing/],
  ['registry lint no-such-file.json', /no-such-file\.json" cannot be read: there is no such file/],
  ['registry lint . --served-at nodes', /--served-at must be a URL/],
  ['--verson', /unknown option "--verson"; did you mean mqtt-failover --version\?/],
  ['-v', /did you mean mqtt-failover --version\?/],
  [`where "" --brokers ${A}`, /<clientId> must not be empty/],
  ['simulate', /<scenario> is missing: mqtt-failover simulate <scenario>/],
  ['simulate node-dei', /<scenario> "node-dei" is unknown; did you mean node-dies\?/],
  [
    'simulate everything-fine',
    /<scenario> .* is unknown; known are node-dies, node-returns, rolling-restart/,
  ],
  ['simulate node-dies --policy theirs', /--policy "theirs" is unknown; known are ours, list-walker/],
  ['simulate node-dies --clients many', /--clients must be an integer from 1 to 1000000, got "many"/],
  ['simulate node-dies --endpoints 1', /--endpoints must be an integer from 2 to 1000/],
  ['simulate node-dies --spread 9', /unknown option "--spread"; did you mean --spread-ms\?/],
  ['simulate node-dies --svg no-such-directory/x.svg', /--svg .* cannot be written: ENOENT/],
  ['--json where x', /unknown option "--json"; the command comes first/],
  ['where', /<clientId> is missing: mqtt-failover where <clientId>/],
  ['where x', /--brokers is missing: mqtt-failover where <clientId> --brokers <list>/],
  [`where x y --brokers ${A}`, /"y" is one word too many/],
  [`where x --broker ${A}`, /unknown option "--broker"; did you mean --brokers\?/],
  [`where x -b ${A}`, /unknown option "-b"/],
  ['where x --brokers', /--brokers needs a value: --brokers <list>/],
  ['where x --brokers --json', /--brokers needs a value: .*write --brokers=…/],
  ['where x --brokers=', /--brokers needs a value/],
  [`where x --brokers ${A} --brokers ${A}`, /--brokers is given twice/],
  [`where x --brokers ${A} --json=yes`, /--json takes no value, got "yes"/],
  ['where x --brokers nonsense', /--brokers must be a URL such as mqtts:\/\/host:8883/],
  ['where x --brokers ftp://a', /--brokers must be a URL/],
  ['where x --brokers mqtt://a:99999', /with a port from 1 to 65535/],
  [`where x --brokers a=${A},a=${A}`, /--brokers must have distinct ids/],
  ['where x --brokers a=mqtt+srv://example.com', /names a whole list/],
  ['where x --brokers registry+http://registry.example.com/n.json', /--allow-insecure|plain HTTP/],
  [`where x --brokers ${A} --dns [`, /--dns must be/],
  [`where x --brokers ${A} --allow-host *.com`, /--allow-host must not allow all of a public suffix/],
  [`plan --from ${A} --to ${A}`, /--ids is missing/],
  [`plan --from ${A} --to ${A} --ids 0`, /--ids must be a count from 1/],
  [
    `plan --from ${A} --to ${A} --ids no-such-file`,
    /--ids "no-such-file" cannot be read: there is no such file/,
  ],
  [
    `plan --from ${A} --to ${A} --ids 1e6`,
    /--ids must be a count in digits, such as 100000, or a file, got "1e6"/,
  ],
  [`plan --from ${A} --to ${A} --ids .`, /it is a directory/],
  [`plan --from ${A} --to ${A} --ids -`, /--ids "-" has no client ids in it/],
  [`plan --from ${A} --to ${A} --ids 1 --svg no-such-directory/x.svg`, /--svg .* cannot be written: ENOENT/],
  ['plan x --from a', /"x" is one word too many/],
  ['doctor', /<list> is missing/],
  ['doctor mqtt://user:pass@word@host', /<list> must be a URL whose user info stands once/],
  [`doctor ${A} --timeout soon`, /--timeout must be a number from 0\.1 to 600, got "soon"/],
  [`doctor ${A} --protocol-version 3.1`, /--protocol-version must be an integer from 4 to 5/],
  [`doctor ${A} --ca no-such-file`, /--ca "no-such-file" cannot be read/],
  [`pub a/# x --brokers ${A}`, /<topic> must be a topic without wildcards, got "a\/#"/],
  [`pub t x --lines --brokers ${A}`, /--lines reads messages from stdin/],
  [`pub t x --qos 3 --brokers ${A}`, /--qos must be an integer from 0 to 2, got "3"/],
  [`sub a/#/b --brokers ${A}`, /must be topic filters/],
  [`sub # --count none --brokers ${A}`, /--count must be an integer/],
  [`watch ${A} --interval -1`, /--interval needs a value: .*write --interval=…/],
  ['help nothing', /unknown command "nothing"/],
];

describe('wrong command lines', () => {
  for (const [line, says] of WRONG) {
    it(`mqtt-failover ${line}`, async () => {
      const fake = fakeTerminal();
      const words = line.split(' ').filter(Boolean);
      const code = await run(
        words.map((word) => word.replace(/^""$/, '')),
        fake.terminal,
      );
      assert.equal(code, 2);
      assert.equal(fake.stdout, '');
      assert.match(fake.stderr, says);
      assert.match(fake.stderr, /^mqtt-failover: [^\n]+\n$/);
    });
  }

  it('never show a password or a control character', async () => {
    const fake = fakeTerminal();
    await run(['where', 'x', '--brokers', 'mqtt://user:s3cr\u001bet@@host'], fake.terminal);
    assert.ok(!fake.stderr.includes('s3cr') && !fake.stderr.includes('\u001b'), fake.stderr);
  });
});

describe('help', () => {
  it('lists every command that there is, and none that there is not', async () => {
    for (const words of [['--help'], ['-h'], ['help']]) {
      const fake = fakeTerminal();
      assert.equal(await run(words, fake.terminal), 0);
      for (const { name } of COMMANDS) assert.ok(fake.stdout.includes(`\n  ${name} `), name);
    }
  });

  it('names every option of a command', async () => {
    for (const { name, options } of COMMANDS) {
      const asked = fakeTerminal();
      assert.equal(await run([...name.split(' '), '--help'], asked.terminal), 0);
      for (const option of [...Object.keys(options), 'json', 'help'])
        assert.ok(asked.stdout.includes(`  --${option}`), `${name} --${option}`);
      const told = fakeTerminal();
      await run(['help', ...name.split(' ')], told.terminal);
      assert.equal(told.stdout, asked.stdout);
    }
  });

  it('is coloured on a terminal only, and not with NO_COLOR', async () => {
    const shown = async (init: Parameters<typeof fakeTerminal>[0]) => {
      const fake = fakeTerminal(init);
      await run(['--help'], fake.terminal);
      return fake.stdout.includes('\u001b');
    };
    assert.equal(await shown({ isTTY: true }), true);
    assert.equal(await shown({ isTTY: true, env: { NO_COLOR: '1' } }), false);
    assert.equal(await shown({ isTTY: true, env: { TERM: 'dumb' } }), false);
    assert.equal(await shown({ isTTY: false }), false);
  });
});

describe('where', () => {
  it('prints one JSON document and nothing else', async () => {
    const fake = fakeTerminal({ isTTY: true });
    const code = await run(
      ['where', 'pump-17', '--brokers', 'a=mqtt://a,b=wss://b/mqtt', '--json'],
      fake.terminal,
    );
    assert.deepEqual([code, fake.stderr], [0, '']);
    assert.match(fake.stdout, /^\[\{"id":.*\}\]\n$/);
  });
});

describe('simulate', () => {
  const line = ['simulate', 'scale-out', '--clients', '40', '--endpoints', '3', '--seed', '2'];

  it('prints one JSON document with the fields of its contract, the same for the same seed', async () => {
    const runs = [];
    for (const isTTY of [true, false]) {
      const fake = fakeTerminal({ isTTY });
      const code = await run([...line, '--json'], fake.terminal);
      assert.deepEqual([code, fake.stderr], [0, '']);
      runs.push(fake.stdout);
    }
    assert.equal(runs[0], runs[1]);
    const report = JSON.parse(runs[0] as string);
    assert.deepEqual([report.scenario, report.clients, report.needlessMoves], ['scale-out', 40, 0]);
    assert.equal(Object.keys(report).length, 10);
  });

  it('draws the rate of CONNECTs and a line for each broker, also for one that came later', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'simulate-'));
    try {
      const file = join(directory, 'chart.svg');
      const fake = fakeTerminal();
      assert.equal(await run([...line, '--svg', file], fake.terminal), 0);
      assert.match(fake.stdout, /needless moves +0\n/);
      const svg = await readFile(file, 'utf8');
      assert.equal(svg.match(/class="load"/g)?.length, 4);
      assert.match(svg, /<path class="rate" d="M\d+ \d+v-/);
      assert.doesNotMatch(svg, /NaN|undefined/);
      // Nothing happens after the fourth minute, and nothing of it is drawn.
      assert.match(svg, />\d+ s<|>3 min</);
      assert.doesNotMatch(svg, />[4-8] min</);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('says no, with exit code 1, where clients move needlessly', async () => {
    const fake = fakeTerminal();
    const words = ['simulate', 'slow-node', '--clients', '100', '--policy', 'full-jitter', '--json'];
    assert.equal(await run(words, fake.terminal), 1);
    assert.ok(JSON.parse(fake.stdout).needlessMoves > 0);
  });
});

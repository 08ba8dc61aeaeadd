/**
 * The examples do what their header comments say. Each runs as a child process, as a reader would run it.
 *
 * `examples/tsconfig.json` leads `mqtt-failover` to `src/`, so nothing has to be built first.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const ID = String.raw`127\.0\.0\.1:\d+`;
const TIMEOUT_MS = 30_000;

/** A pattern for one line. */
type Expected = RegExp | string;

/** What each example must print, in this order. `<name>` is a broker's id: the first one found is meant ever after. */
const EXPECTED: Readonly<Record<string, readonly Expected[]>> = {
  '01-static-list': [
    '^connected to <first>$',
    '^21.5 acknowledged by <first>$',
    '^<first> is gone; publishing all the same$',
    String.raw`^moved from <first> to <second> in \d+ ms$`,
    '^21.7 acknowledged by <second>$',
  ],
  '02-change-the-import': [/^connected$/, /^presence: Hello mqtt$/, /^connected$/, /^presence: Hello again$/],
  '03-own-discovery': [
    /^topology: added one, two$/,
    /^connected to two$/,
    /^the inventory has a third broker now$/,
    /^topology: added three$/,
    /^still connected to two; known: three, two, one$/,
  ],
  '04-offline-queue': [
    /^queued reading 4$/,
    /^dropped: plant\/level \(overflow\)$/,
    /^queued reading 5$/,
    /^dropped: plant\/level \(overflow\)$/,
    /^reading 1 failed: ERR_OVERFLOW$/,
    /^reading 2 failed: ERR_OVERFLOW$/,
    /^outbox: 3 messages, 54 bytes$/,
    /^connecting now$/,
    /^reading 3 acknowledged$/,
    /^reading 4 acknowledged$/,
    /^reading 5 acknowledged$/,
  ],
  '05-per-endpoint-options': [
    /^1\. north {2}mqtt:.* zone north {2}priority 0$/,
    /^2\. south {2}mqtt:.* zone south {2}priority 0$/,
    /^3\. cloud {2}ws:.*\/mqtt +zone - +priority 1$/,
    /^connected to north$/,
    /^connected to south$/,
    /^connected to cloud$/,
  ],
  '06-watch-it': [
    /^state +connecting → connected: accepted by/,
    '^health +<first> is suspect: .+',
    /^state +connected → backoff: .+/,
    String.raw`^failover +<first> → <second> after \d+ ms: .+`,
    String.raw`^explain +1\. <first> eligible=(true|false): .+`,
    '^explain +sensor-18 belongs on <other>$',
    String.raw`^status +\{"state":"connected","clientId":"sensor-17","current":"<second>".+\}$`,
  ],
  '07-replace-a-part': [
    /^usual order +gamma canary beta$/,
    /^our order +gamma beta canary$/,
    /^connected to gamma$/,
    /^moved to beta; draws from our chance: [1-9]\d*$/,
  ],
  '08-live-registry': [
    /^connected to n2$/,
    /^n2 is to be drained$/,
    /^left n2 for n1$/,
    /^the registry is down; still connected to n1$/,
    /^a restart without the registry: connected to n1, list from last-known-good$/,
  ],
  '09-topology-topic': [
    /^topology by static: added n1$/,
    /^connected to n1, knows 1 broker$/,
    /^topology by topic: added n2, n3$/,
    /^knows 3 brokers now$/,
  ],
  '10-prometheus': [
    /^messaging_client_sent_messages_total\{messaging_system="mqtt",.+,server_port="\d+",.+\} 1$/,
    /^mqtt_failover_failovers_total\{server_address="127.0.0.1",.+\} 1$/,
    /^mqtt_failover_offline_duration_count\{.+\} 1$/,
    /^mqtt_failover_clients\{mqtt_failover_client_state="connected",.+\} 1$/,
    /^mqtt_failover_outbox_messages\{.+\} 0$/,
  ],
  '11-gateway': [
    '^<first> is down already$',
    /^30 readings delivered for 30 devices$/,
    /^32 dials: two devices found out for all that a broker is down$/,
    /^\d+ devices on /,
    /^\d+ devices on /,
  ],
  '12-signed-url': [
    /^signed a URL for a$/,
    /^connected to a$/,
    /^signed a URL for b$/,
    /^connected to b$/,
    /^without a signature: 1 refusal$/,
  ],
  '13-simulate': [
    /^spread over default: at most \d+ CONNECTs in 100 ms, half back after \d+ ms$/,
    /^spread over 5 s: at most \d CONNECTs in 100 ms, half back after \d{4} ms$/,
    /^spread over 30 s: at most \d CONNECTs in 100 ms, half back after \d{5} ms$/,
  ],
};

describe('examples', { concurrency: 2 }, () => {
  it('are all tested, short, and open with a header comment', () => {
    const examples = readdirSync(join(ROOT, 'examples')).filter((file) => /^\d\d-.+\.ts$/.test(file));
    assert.deepEqual(
      examples,
      Object.keys(EXPECTED).map((name) => `${name}.ts`),
    );
    const readme = readFileSync(join(ROOT, 'examples/README.md'), 'utf8');
    for (const file of examples) {
      const text = readFileSync(join(ROOT, 'examples', file), 'utf8');
      assert.match(text, /^\/\*\*\n \* .+/, file);
      assert.ok(text.split('\n').length <= 60, `${file} has ${text.split('\n').length} lines`);
      assert.ok(readme.includes(`](${file})`), `examples/README.md links ${file}`);
    }
  });

  for (const [name, expected] of Object.entries(EXPECTED)) {
    it(`${name} prints what it promises`, { timeout: TIMEOUT_MS }, async (t) => {
      const { code, stdout, stderr } = await finished(start(t, `examples/${name}.ts`));
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      assertInOrder(stdout, expected);
    });
  }

  it('01-static-list runs against the brokers of the helper command', { timeout: TIMEOUT_MS }, async (t) => {
    const helper = start(t, 'examples/brokers.ts');
    const lines = createInterface({ input: helper.stdout! })[Symbol.asyncIterator]();
    const first = (await lines.next()).value as string;
    assert.match(first, new RegExp(`^BROKERS=(mqtt://${ID},?){3}$`));
    const urls = first.slice('BROKERS='.length).split(',');
    const example = start(t, 'examples/01-static-list.ts', urls);
    // The brokers are not the example's own: it asks for the kill.
    createInterface({ input: example.stdout! }).on('line', (line) => {
      const id = new RegExp(`^>>> now stop the broker (${ID}) <<<$`).exec(line)?.[1];
      if (id) helper.stdin!.write(`kill ${urls.findIndex((url) => url.endsWith(id)) + 1}\n`);
    });
    const { code, stdout, stderr } = await finished(example);
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assertInOrder(stdout, [/now stop the broker/, /^moved from .+/, /^21.7 acknowledged by /]);
    helper.stdin!.write('quit\n');
    assert.equal((await finished(helper)).code, 0);
  });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const outputs = new WeakMap<ChildProcess, { stdout: string; stderr: string }>();

/** Starts an example; a child that outlives its test is killed. */
function start(t: TestContext, file: string, args: readonly string[] = []): ChildProcess {
  const { BROKERS: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    cwd: ROOT,
    env: { ...env, TSX_TSCONFIG_PATH: join(ROOT, 'examples/tsconfig.json') },
    stdio: 'pipe',
  });
  t.after(() => child.kill());
  const output = { stdout: '', stderr: '' };
  outputs.set(child, output);
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return child;
}

async function finished(child: ChildProcess): Promise<Outcome> {
  const [code] = child.exitCode === null ? await once(child, 'close') : [child.exitCode];
  return { code, ...outputs.get(child)! };
}

/** Each pattern matches a line after the one before it. */
function assertInOrder(output: string, patterns: readonly Expected[]): void {
  const lines = output.split('\n');
  const captured = new Map<string, string>();
  let from = 0;
  for (const expected of patterns) {
    const pattern = withNames(expected, captured);
    const at = lines.findIndex((line, index) => index >= from && pattern.test(line));
    assert.notEqual(at, -1, `no line matches ${pattern} after line ${from}:\n${output}`);
    for (const [name, id] of Object.entries(pattern.exec(lines[at]!)?.groups ?? {})) captured.set(name, id);
    from = at + 1;
  }
}

/** Puts ids, or what finds them, in the place of names. */
function withNames(expected: Expected, captured: ReadonlyMap<string, string>): RegExp {
  if (typeof expected !== 'string') return expected;
  const source = expected.replace(/<(\w+)>/g, (_, name: string) => {
    return captured.get(name)?.replaceAll('.', '\\.') ?? `(?<${name}>${ID})`;
  });
  return new RegExp(source);
}

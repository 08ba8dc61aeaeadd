/** `registry lint`: a document with the eyes of a client. */
import { createReadStream } from 'node:fs';
import { isJson, readText } from '../discovery/registry/body.js';
import { Deadline } from '../discovery/registry/deadline.js';
import { RegistryHttp } from '../discovery/registry/http.js';
import { MAX_BODY_BYTES } from '../discovery/registry/limits.js';
import { type RegistryTarget, readTargets } from '../discovery/registry/target.js';
import { messageOf } from '../errors.js';
import type { Arguments } from './arguments.js';
import { discover, discoveryOptions, unreadable } from './discovery.js';
import { type Lint, lintDocument, type Remark } from './lint-document.js';
import { readList } from './list.js';
import { printable, type Style, type Terminal } from './terminal.js';
import { UsageError } from './usage.js';

/** Milliseconds for a registry's answer. */
const ANSWER_MS = 10_000;

/** Runs `registry lint`. */
export async function registryLint(args: Arguments, terminal: Terminal): Promise<number> {
  const named = args.operand(0).replace(/^registry\+/, '');
  const isUrl = isHttp(named);
  const servedAt = isUrl ? named : args.text('served-at')?.replace(/^registry\+/, '');
  if (servedAt !== undefined && !isHttp(servedAt))
    throw new UsageError('--served-at must be a URL such as https://registry.example.com/nodes.json');
  const allowInsecure = args.flag('allow-insecure');
  const target = servedAt === undefined ? undefined : readTargets(servedAt, { allowInsecure })[0];
  const read = () => (isUrl && target ? download(target, terminal) : readFile(named));
  const lint = await read().then(
    (text) => lintDocument(text, contextOf(servedAt, target, args, terminal)),
    (error: unknown) => {
      if (error instanceof UsageError) throw error;
      terminal.signal.throwIfAborted();
      return refused(error);
    },
  );
  if (terminal.quiet) await terminal.json(lint);
  else await show(lint, terminal);
  return lint.ok ? 0 : 1;
}

function isHttp(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

function contextOf(
  servedAt: string | undefined,
  target: RegistryTarget | undefined,
  args: Arguments,
  { platform }: Terminal,
) {
  if (servedAt === undefined || !target) return {};
  const { parsed } = readList(`registry+${servedAt}`, '<file|url>');
  const { refusal } = discover(parsed, discoveryOptions(args), platform);
  return {
    reach: target.reach,
    plain: args.flag('allow-insecure') || target.url.startsWith('http:'),
    refusal,
  };
}

function refused(error: unknown): Lint {
  const text = messageOf(error);
  return { ok: false, nodes: 0, errors: [{ node: null, text }], warnings: [] };
}

async function show({ nodes, errors, warnings }: Lint, terminal: Terminal): Promise<void> {
  const list = async (style: Style, name: string, remarks: readonly Remark[]) => {
    for (const { node, text } of remarks) {
      const where = node === null ? '' : `${printable(node)}: `;
      await terminal.print(`${terminal.paint(style, name)}  ${where}${printable(text)}`);
    }
  };
  await list('red', 'error', errors);
  await list('yellow', 'warning', warnings);
  const parts = [
    `${nodes} usable node${plural(nodes)}`,
    `${errors.length} error${plural(errors.length)}`,
    `${warnings.length} warning${plural(warnings.length)}`,
  ];
  await terminal.print(parts.join(', '));
}

function plural(count: number): string {
  return count === 1 ? '' : 's';
}

async function readFile(path: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      pieces.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > MAX_BODY_BYTES) break;
    }
  } catch (error) {
    throw unreadable('<file|url>', path, error);
  }
  if (size > MAX_BODY_BYTES) throw new Error(`the document is longer than ${MAX_BODY_BYTES} bytes`);
  return Buffer.concat(pieces).toString('utf8');
}

async function download(target: RegistryTarget, { platform, signal }: Terminal): Promise<string> {
  const { fetch, clock, httpCache } = platform;
  const http = new RegistryHttp({ fetch, clock, httpCache, headers: undefined });
  const deadline = new Deadline(clock, signal);
  deadline.allow(ANSWER_MS, 'no complete answer');
  try {
    const response = await http.open({ target, accept: 'application/json', cache: 'no-store' }, deadline);
    const type = response.headers.get('content-type');
    if (!isJson(type)) throw new Error(`the answer is not JSON by its content type (${type ?? 'none'})`);
    return await readText(response.body, MAX_BODY_BYTES, deadline);
  } finally {
    deadline.end();
  }
}

/** Where and with what a result was measured. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { programVersions } from './programs.js';

const ROOT = new URL('../../', import.meta.url);
const PACKAGES = ['mqtt', 'mqtt-packet', 'paho-mqtt', 'aedes'];

export interface Environment {
  readonly date: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** Processes that ran or waited to run in the minute before: a busy machine measures something else. */
  readonly load: number;
  readonly packages: Readonly<Record<string, string>>;
  /** Versions of the servers that are installed. */
  readonly programs: Readonly<Record<string, string>>;
  /** `null` outside of a git checkout; ends in `+` when files were changed. */
  readonly commit: string | null;
  /** Start of the SHA-256 of `dist/index.js`, which is what was measured. */
  readonly build: string;
}

export function environment(): Environment {
  return {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    load: loadavg()[0]!,
    programs: programVersions(),
    packages: {
      'mqtt-failover': versionIn('package.json'),
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionIn(`node_modules/${name}/package.json`)])),
    },
    commit: commit(),
    build: createHash('sha256').update(read('dist/index.js')).digest('hex').slice(0, 12),
  };
}

function commit(): string | null {
  try {
    const changed = git('status', '--porcelain') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    // No git, or no repository.
    return null;
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

function versionIn(manifest: string): string {
  return JSON.parse(read(manifest)).version;
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}

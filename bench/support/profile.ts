/** Where the time of a `.cpuprofile` went, for `--cpu-prof`. */
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename } from 'node:path';

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The time of one function, without what it calls. */
export interface SelfTime {
  readonly where: string;
  readonly us: number;
}

/** All functions of a profile that took time, the slowest first. */
export function selfTimes(file: string): SelfTime[] {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const known = new Names();
  const names = new Map(nodes.map(({ id, callFrame }) => [id, known.of(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, i) => {
    const where = names.get(id) ?? '?';
    times.set(where, (times.get(where) ?? 0) + (timeDeltas[i] ?? 0));
  });
  times.delete('(idle)');
  return [...times].map(([where, us]) => ({ where, us })).sort((a, b) => b.us - a.us);
}

/** Functions of the bundle are named by the source file they come from. */
class Names {
  readonly #maps = new Map<string, SourceMap | undefined>();

  of({ functionName, url, lineNumber, columnNumber }: CallFrame): string {
    const name = functionName || '(anonymous)';
    if (url === '') return name;
    const parent = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (parent) return `${name} ${parent}/${basename(url)}:${lineNumber + 1}`;
    const origin = this.#mapOf(url)?.findEntry(lineNumber, columnNumber);
    return origin && 'originalSource' in origin
      ? `${name} ${origin.originalSource.replace(/^(\.\.\/)+/, '')}:${origin.originalLine + 1}`
      : `${name} ${basename(url)}:${lineNumber + 1}`;
  }

  #mapOf(url: string): SourceMap | undefined {
    if (!this.#maps.has(url)) this.#maps.set(url, readMap(`${url}.map`));
    return this.#maps.get(url);
  }
}

function readMap(url: string): SourceMap | undefined {
  if (!url.startsWith('file:') || !existsSync(new URL(url))) return undefined;
  return new SourceMap(JSON.parse(readFileSync(new URL(url), 'utf8')));
}

/** Programs of this machine that benchmarks run. */
import { execFileSync } from 'node:child_process';
import { delimiter } from 'node:path';

/** Debian keeps servers in a folder that not every user's PATH has. */
export const ENV: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [process.env.PATH, '/usr/sbin'].join(delimiter),
};

const ASK: Readonly<Record<string, readonly string[]>> = {
  mosquitto: ['-h'],
  haproxy: ['-v'],
  nginx: ['-v'],
};

/** Versions of those that are installed. */
export function programVersions(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(ASK).flatMap(([program, args]) => {
      const version = /\d+\.\d+\.\d+/.exec(said(program, args))?.[0];
      return version === undefined ? [] : [[program, version]];
    }),
  );
}

/** What a program says on both outputs; nothing when it is not there. */
function said(program: string, args: readonly string[]): string {
  try {
    return execFileSync('sh', ['-c', `"$0" "$@" 2>&1`, program, ...args], { env: ENV, encoding: 'utf8' });
  } catch (error) {
    return String((error as { stdout?: string }).stdout ?? '');
  }
}

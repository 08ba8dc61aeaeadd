/** A terminal whose outputs are text, and whose network must not be used. */
import { Readable, Writable } from 'node:stream';
import { Terminal } from '../../../src/cli/terminal.js';
import { nodePlatform } from '../../../src/platform/node.js';

export interface FakeTerminalInit {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
}

class TextSink extends Writable {
  text = '';
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export function fakeTerminal({ stdin = '', env = {}, isTTY = false }: FakeTerminalInit = {}) {
  const stdout = new TextSink(isTTY);
  const stderr = new TextSink(isTTY);
  const { signal } = new AbortController();
  const input = Readable.from([Buffer.from(stdin)]);
  const terminal = new Terminal({ stdin: input, stdout, stderr, env, platform: nodePlatform, signal });
  return {
    terminal,
    get stdout() {
      return stdout.text;
    },
    get stderr() {
      return stderr.text;
    },
  };
}

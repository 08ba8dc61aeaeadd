/** `node:test` of a page: collects tests, which the test process names and runs one by one. */

type Step = () => unknown;

/** Every test, by the names of its suites and its own. */
export const tests = new Map<string, () => Promise<void>>();

interface Suite {
  readonly name: string;
  readonly before: Step[];
  readonly after: Step[];
}

let suite: Suite = { name: '', before: [], after: [] };

export function describe(name: string, define: () => void): void {
  const outer = suite;
  suite = { name, before: [], after: [] };
  define();
  suite = outer;
}

export function beforeEach(step: Step): void {
  suite.before.push(step);
}

export function afterEach(step: Step): void {
  suite.after.push(step);
}

export function test(name: string, body: Step): void {
  const { name: of, before, after } = suite;
  tests.set(`${of} ${name}`, async () => {
    for (const step of before) await step();
    try {
      await body();
    } finally {
      for (const step of after) await step();
    }
  });
}

Object.assign(globalThis, { tests });

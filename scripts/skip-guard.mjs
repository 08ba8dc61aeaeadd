// A reporter for node:test that names the skipped tests and, where CI is set, fails the run because of them.
export default async function* skipGuard(events) {
  const skipped = [];
  for await (const { type, data } of events) {
    // An empty reason is reported as `true`, or as an empty string.
    if ((type === 'test:pass' || type === 'test:fail') && data.skip !== undefined) {
      skipped.push(`  ${data.name}${typeof data.skip === 'string' && data.skip ? ` (${data.skip})` : ''}`);
    }
  }
  if (skipped.length === 0) return;
  const forbidden = Boolean(process.env.CI) && process.env.CI !== 'false';
  if (forbidden) process.exitCode = 1;
  yield `${forbidden ? 'Skipped, which CI does not allow' : 'Skipped'}:\n${skipped.join('\n')}\n`;
}

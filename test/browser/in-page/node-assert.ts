/** As much of `node:assert/strict` as suites that run in a page ask for. */

function equal(actual: unknown, expected: unknown, message = ''): void {
  if (!Object.is(actual, expected)) throw new Error(`${message} ${show(actual)}, not ${show(expected)}`);
}

function deepEqual(actual: unknown, expected: unknown, message = ''): void {
  if (!isSame(actual, expected)) throw new Error(`${message} ${show(actual)}, not ${show(expected)}`);
}

function ok(value: unknown, message = 'the expression is false'): asserts value {
  if (!value) throw new Error(message);
}

async function rejects(
  promise: Promise<unknown>,
  expected: Readonly<Record<string, unknown>>,
): Promise<void> {
  const error = await promise.then(
    () => ok(false, 'it was not rejected'),
    (thrown) => thrown,
  );
  for (const [key, value] of Object.entries(expected)) deepEqual(error[key], value, key);
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  if (ArrayBuffer.isView(a) !== ArrayBuffer.isView(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = new Map(Object.entries(b));
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
  );
}

function show(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 500);
}

export default { equal, deepEqual, ok, rejects };

/** Wrong use of the command line, and what the user most likely meant. */

/** Says in one line what is wrong and what would be right. Ends the process with exit code 2, without a stack trace. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What is wrong with a value, in the words of one line: control characters and line ends are made visible. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown);
}

/**
 * The candidate that `word` is most likely a slip of: the one at the smallest edit distance, if that is at most a third
 * of the longer word (and two for short ones), or that begins with it.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const given = word.slice(0, 64).toLowerCase();
  if (given === '') return undefined;
  const scored = candidates
    .map((name) => ({ name, distance: name.startsWith(given) ? 0.5 : editDistance(given, name) }))
    .filter(
      ({ name, distance }) => distance <= Math.max(2, Math.floor(Math.max(given.length, name.length) / 3)),
    )
    .filter(({ name, distance }) => distance < Math.max(given.length, name.length))
    .sort((a, b) => a.distance - b.distance);
  return scored[0]?.name;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const cost = [
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      ];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost.push((before[j - 2] as number) + 1);
      row.push(Math.min(...cost));
    }
    before = last;
    last = row;
  }
  return last[b.length] as number;
}

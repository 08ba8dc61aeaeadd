/** Code that is loaded when it is needed: a page with a static list does not pay for what it has no use for. */

/**
 * The result of `load`, which runs once: what was loaded stays. A failure does not: a page that was offline must be able
 * to load it later.
 */
export function chunk<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}

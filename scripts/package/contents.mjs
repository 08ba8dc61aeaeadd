// What is in the tarball: all that package.json points to, and nothing that nobody has asked for.

/** Bytes of the tarball; most of them are source maps. */
const MAX_PACKED_BYTES = 3_300_000;

/** Everything that may be published. A new kind of file is a decision, made here. */
const ALLOWED = [
  /^(package\.json|LICENSE|(README|CHANGELOG|ARCHITECTURE)\.md)$/,
  /^docs\/(README|[a-z-]+|api\/(README|[a-z-]+))\.md$/,
  /^docs\/registry\.schema\.json$/,
  /^dist\/(index|opentelemetry|simulator)\.(js|js\.map|cjs|d\.ts|d\.cts)$/,
  /^dist\/browser\.(js|js\.map|d\.ts)$/,
  /^dist\/cli\.js(\.map)?$/,
  /^dist\/mqtt-failover\.min\.js(\.map)?$/,
  /^dist\/chunks\/(index|browser|cli|simulator)-[\w-]+\.js(\.map)?$/,
];

/**
 * One line for each thing that is wrong with a tarball.
 *
 * @param pack - What `npm pack --json` says of it.
 * @param manifest - The package.json.
 */
export function contentProblems({ files, size }, manifest) {
  const paths = new Set(files.map(({ path }) => path));
  const { exports, main, module, types, unpkg, jsdelivr, bin } = manifest;
  const named = leaves([exports, main, module, types, unpkg, jsdelivr, bin]).map((path) =>
    path.replace(/^\.\//, ''),
  );
  return [
    ...[...paths]
      .filter((path) => !ALLOWED.some((allowed) => allowed.test(path)))
      .map((path) => `${path} is not to be published`),
    ...named
      .filter((path) => !paths.has(path))
      .map((path) => `${path}, which package.json names, is missing`),
    ...(size > MAX_PACKED_BYTES ? [`the tarball has ${size} bytes, more than ${MAX_PACKED_BYTES}`] : []),
  ];
}

/** One line for each source of a map that is not ours or a dependency's. */
export function mapProblems(path, { sources }) {
  const strange = sources.filter((source) => !/^(\.\.\/)+(src|node_modules)\//.test(source));
  return strange.map((source) => `${path} names ${source}`);
}

function leaves(value) {
  if (typeof value === 'string') return [value];
  return value && typeof value === 'object' ? Object.values(value).flatMap(leaves) : [];
}

// The licences of everything that comes with the package: its dependencies, its peers, and theirs, as the lock file has them.
import { posix } from 'node:path';

/** SPDX names of licences that ask for no more than a notice. */
const PERMISSIVE = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
]);

/** One line for each package that users would install and whose licence is not permissive, or not known. */
export function licenceProblems({ packages }) {
  const { dependencies = {}, peerDependencies = {} } = packages[''];
  const wanted = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
  const found = new Map();
  const visit = (name, from) => {
    const path = resolve(packages, name, from);
    if (path === undefined || found.has(path)) return;
    const { version, license, dependencies: own = {}, optionalDependencies = {} } = packages[path];
    found.set(path, `${name} ${version}: ${license ?? 'no licence'}`);
    for (const each of Object.keys({ ...own, ...optionalDependencies })) visit(each, path);
  };
  for (const name of wanted) visit(name, '');
  if (found.size < wanted.length) return ['the lock file lacks a dependency: npm install'];
  return [...found].filter(([path]) => !isPermissive(packages[path].license)).map(([, line]) => line);
}

/** `MIT`, or an expression such as `(MIT OR GPL-2.0)`, of which users choose one. */
function isPermissive(license = '') {
  const alternatives = license.replace(/^\(|\)$/g, '').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every((each) => PERMISSIVE.has(each)));
}

/** Where Node would find `name` from the package at `from`. */
function resolve(packages, name, from) {
  for (let folder = from; ; folder = posix.dirname(folder)) {
    const path = posix.join(folder, 'node_modules', name);
    if (packages[path]) return path;
    if (folder === '' || folder === '.') return undefined;
  }
}

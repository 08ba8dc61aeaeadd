/** Code written for MQTT.js changes its import line and nothing else; Node and browsers get the same names. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as mqtt from 'mqtt';
import * as browser from '../../src/browser.js';
import * as node from '../../src/index.js';
import * as simulator from '../../src/simulator/index.js';

/** `__esModule` is the loader's, not MQTT.js's. */
const names = (module: object) =>
  Object.keys(module)
    .filter((name) => name !== '__esModule')
    .sort();

describe('exports', () => {
  test('have every name that mqtt exports, and its values but for connect', () => {
    const ours = new Map(Object.entries(node));
    assert.deepEqual(
      names(mqtt).filter((name) => !ours.has(name)),
      [],
    );
    const own = new Set(['default', 'connect', 'connectAsync', '__esModule']);
    for (const [name, value] of Object.entries(mqtt))
      if (!own.has(name)) assert.equal(ours.get(name), value, name);
  });

  test('are the same names for Node and for browsers, which import without a page', () => {
    assert.deepEqual(names(browser), names(node));
    assert.deepEqual(names(browser.default), names(node.default));
  });

  test('are all members of the default export', () => {
    for (const module of [node, browser]) {
      const { default: all, ...named } = module;
      assert.deepEqual(names(all), names(named));
      for (const [name, value] of Object.entries(named))
        assert.equal((all as Record<string, unknown>)[name], value);
    }
  });

  test('differ between Node and browsers in connect and connectAsync alone', () => {
    const others = new Map(Object.entries(browser));
    const different = Object.entries(node).filter(([name, value]) => others.get(name) !== value);
    assert.deepEqual(different.map(([name]) => name).sort(), ['connect', 'connectAsync', 'default']);
  });

  test('of the simulator are apart from those of the library, with types for import and require', () => {
    assert.deepEqual(names(simulator), ['POLICIES', 'SCENARIO_NAMES', 'simulate']);
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    assert.deepEqual(manifest.exports['./simulator'], {
      import: { types: './dist/simulator.d.ts', default: './dist/simulator.js' },
      require: { types: './dist/simulator.d.cts', default: './dist/simulator.cjs' },
    });
  });
});

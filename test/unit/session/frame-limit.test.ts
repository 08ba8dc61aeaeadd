/** Packets that are too large are refused by their length, however the bytes are cut into chunks. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { FrameLimit } from '../../../src/session/frame-limit.js';

const CONNACK = generate(
  { cmd: 'connack', sessionPresent: false, reasonCode: 0, properties: {} },
  { protocolVersion: 5 },
);

/** Header of a packet of `type` with so many bytes after it. */
function header(type: number, length: number): Buffer {
  const digits: number[] = [];
  let rest = length;
  do {
    digits.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from([type, ...digits]);
}

describe('before CONNACK', () => {
  test('half a megabyte is admitted, and more is refused by its header alone', () => {
    assert.equal(new FrameLimit().admits(header(0x20, 512 * 1_024 - 4)), true);
    assert.equal(new FrameLimit().admits(header(0x20, 512 * 1_024)), false);
    assert.equal(new FrameLimit().admits(header(0x30, 268_435_455)), false);
  });

  test('refusing is for good', () => {
    const frames = new FrameLimit();
    frames.admits(header(0x20, 268_435_455));
    assert.equal(frames.admits(Buffer.alloc(1)), false);
  });
});

describe('after CONNACK', () => {
  test('a packet may be as large as MQTT allows when nothing was announced', () => {
    const frames = new FrameLimit();
    assert.equal(frames.admits(Buffer.concat([CONNACK, header(0x30, 268_435_455)])), true);
  });

  test('a packet of the announced size is admitted, and one more byte is not', () => {
    for (const [length, fits] of [
      [998, true],
      [999, true],
      [1_000, false],
    ] as const) {
      const frames = new FrameLimit(1_002);
      frames.admits(CONNACK);
      assert.equal(frames.admits(header(0x30, length)), fits, `${length} bytes`);
    }
  });

  test('it does not matter where chunks end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (lengths, cuts) => {
          const bodies = lengths.map((length) =>
            Buffer.concat([header(0x30, length), Buffer.alloc(length, 0xff)]),
          );
          const bytes = Buffer.concat([CONNACK, ...bodies]);
          const frames = new FrameLimit(200);
          let admitted = true;
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const cut = cuts[i % cuts.length] as number;
            admitted = frames.admits(bytes.subarray(at, at + cut)) && admitted;
            at += cut;
          }
          assert.equal(
            admitted,
            bodies.every((body) => body.length <= 200),
          );
        },
      ),
    );
  });
});

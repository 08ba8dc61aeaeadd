/** Charts of the last minute, as plain SVG. */

const WINDOW_MS = 60_000;
const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = { top: 8, right: 4, bottom: 18, left: 46 };

/**
 * @typedef {{ at: number, values: readonly number[] }} Sample
 * @typedef {{ at: number, value: number, kind: string }} Point
 * @typedef {{ ticks: readonly number[], text: (tick: number) => string, y: (value: number) => number }} Scale
 */

/** The frame of a chart: size, grid and axes. Time runs to the right edge, which is now. */
class Chart {
  /** @type {SVGSVGElement} */
  #svg;

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
  }

  get size() {
    return { width: this.#svg.clientWidth, height: this.#svg.clientHeight };
  }

  /** @param {number} at @param {number} now */
  x(at, now) {
    const { left, right } = MARGIN;
    return left + (1 - (now - at) / WINDOW_MS) * (this.size.width - left - right);
  }

  /** Pixels from the top for a share of the height. @param {number} share from 0 to 1 */
  height(share) {
    const { top, bottom } = MARGIN;
    const { height } = this.size;
    return height - bottom - share * (height - top - bottom);
  }

  /** Replaces everything but the title. @param {Scale} scale @param {readonly SVGElement[]} marks */
  draw({ ticks, text, y }, marks) {
    const { width, height } = this.size;
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const grid = ticks.flatMap((tick) => [
      shape('line', { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
      label(text(tick), { x: MARGIN.left - 6, y: y(tick) + 4, 'text-anchor': 'end' }),
    ]);
    const times = [
      label('1 min ago', { x: MARGIN.left, y: height - 3 }),
      label('now', { x: width - MARGIN.right, y: height - 3, 'text-anchor': 'end' }),
    ];
    this.#svg.querySelector('g')?.replaceChildren(...grid, ...times, ...marks);
  }
}

/** Values over time as areas, one on top of the other. */
export class AreaChart {
  #chart;
  #colours;
  #least;
  /** @type {Sample[]} */
  #samples = [];

  /**
   * @param {SVGSVGElement} svg
   * @param {readonly string[]} colours CSS colours, lowest area first
   * @param {number} least height of the scale at least
   */
  constructor(svg, colours, least) {
    this.#chart = new Chart(svg);
    this.#colours = colours;
    this.#least = least;
  }

  /** @param {readonly number[]} values lowest area first */
  add(values) {
    const at = performance.now();
    this.#samples.push({ at, values });
    while ((this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  draw() {
    const now = performance.now();
    const sums = this.#samples.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
    const most = Math.max(...sums);
    const top = most <= this.#least ? this.#least : niceTop(most);
    /** @param {number} value */
    const y = (value) => this.#chart.height(value / top);
    const areas = this.#colours.map((colour, layer) => {
      const area = shape('path', { d: this.#outline(layer, now, y), class: 'area' });
      area.style.setProperty('--colour', colour);
      return area;
    });
    this.#chart.draw({ ticks: [0, top / 2, top], text: (tick) => `${tick}`, y }, areas);
  }

  /** @param {number} layer @param {number} now @param {(value: number) => number} y */
  #outline(layer, now, y) {
    /** @param {readonly number[]} values @param {number} count */
    const stacked = (values, count) => values.slice(0, count).reduce((sum, value) => sum + value, 0);
    if (!this.#samples.some(({ values }) => values[layer])) return '';
    /** @param {number} count */
    const edge = (count) =>
      this.#samples.map(({ at, values }) => {
        const x = Math.max(MARGIN.left, this.#chart.x(at, now));
        return `${x.toFixed(1)},${y(stacked(values, count)).toFixed(1)}`;
      });
    return `M${[...edge(layer + 1), ...edge(layer).reverse()].join('L')}Z`;
  }
}

/** Single happenings over time, by how long they took: a logarithmic scale of milliseconds. */
export class DurationChart {
  #chart;
  /** @type {Point[]} */
  #points = [];

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#chart = new Chart(svg);
  }

  /** @param {string} kind class of its mark @param {number} ms */
  add(kind, ms) {
    this.#points.push({ at: performance.now(), value: ms, kind });
    while (this.#points.length > 500) this.#points.shift();
  }

  draw() {
    const now = performance.now();
    this.#points = this.#points.filter(({ at }) => at > now - WINDOW_MS);
    /** @param {number} ms */
    const y = (ms) => this.#chart.height(Math.log10(Math.min(10_000, Math.max(1, ms))) / 4);
    const marks = this.#points.map(({ at, value, kind }) =>
      kind === 'failover'
        ? shape('circle', { class: kind, cx: this.#chart.x(at, now), cy: y(value), r: 4 })
        : shape('rect', {
            class: kind,
            x: this.#chart.x(at, now) - 3,
            y: y(value) - 3,
            width: 6,
            height: 6,
          }),
    );
    this.#chart.draw({ ticks: [1, 10, 100, 1_000, 10_000], text: duration, y }, marks);
  }

  /** Of the last minute. @returns {number[]} */
  get durations() {
    return this.#points.map(({ value }) => value);
  }
}

/** @param {number} ms */
function duration(ms) {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

/** The next of 2, 4, 8, 10, 20, 40, … that can be halved. @param {number} value */
function niceTop(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((factor) => factor * unit).find((top) => top >= value && top >= 2) ?? value;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElement}
 */
function shape(name, attributes) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, `${value}`);
  return element;
}

/** @param {string} text @param {Record<string, string | number>} attributes */
function label(text, attributes) {
  const element = shape('text', attributes);
  element.textContent = text;
  return element;
}

// What charts of the documentation have alike: SVG for light and for dark pages, and lines over time.
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export const WIDTH = 960;
export const FONT = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

export interface Theme {
  readonly text: string;
  readonly faint: string;
  readonly line: string;
  readonly ours: string;
  readonly oursToo: string;
  readonly others: string;
  readonly othersToo: string;
  readonly lines: readonly string[];
}

const THEMES: Readonly<Record<'light' | 'dark', Theme>> = {
  light: {
    text: '#1f2328',
    faint: '#59636e',
    line: '#d1d9e0',
    ours: '#0969da',
    oursToo: '#80b3f0',
    others: '#818b98',
    othersToo: '#c4cbd3',
    lines: ['#0969da', '#1a7f37', '#cf222e', '#bc4c00', '#8250df', '#6e7781', '#bf3989', '#9a6700'],
  },
  dark: {
    text: '#f0f6fc',
    faint: '#9198a1',
    line: '#3d444d',
    ours: '#4493f8',
    oursToo: '#1f4f8f',
    others: '#9198a1',
    othersToo: '#4d545d',
    lines: ['#4493f8', '#3fb950', '#f85149', '#db6d28', '#ab7df8', '#9198a1', '#db61a2', '#d29922'],
  },
};

export interface Drawing {
  readonly height: number;
  readonly option: EChartsCoreOption;
}

function svg({ height, option }: Drawing): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({ animation: false, ...option });
  const text = chart.renderToSVGString();
  chart.dispose();
  // Its counter of charts is in every id: a chart is the same whatever was drawn before it.
  const stable = text.replaceAll(/zr\d+-/g, 'zr-');
  return `${stable}\n`;
}

/** Every chart by path: one for each theme. */
export function inBothThemes(
  charts: Readonly<Record<string, (theme: Theme) => Drawing>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(charts).flatMap(([name, draw]) =>
      (['light', 'dark'] as const).map((theme) => [
        `docs/charts/${name}-${theme}.svg`,
        svg(draw(THEMES[theme])),
      ]),
    ),
  );
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Stands out. */
  readonly isOurs: boolean;
}

export interface LineChartInit {
  readonly title: string;
  readonly xName: string;
  readonly xMin?: number;
  readonly xMax: number;
  /** Powers of ten from 1 on: what is less lies on the axis. */
  readonly isLog?: boolean;
  readonly yMin?: number;
  readonly lines: readonly Line[];
}

/** With more points than these a thick line is a blot. */
const DENSE = 100;

/** Lines over time, named above. */
export function lineChart(init: LineChartInit, theme: Theme): Drawing {
  const { title, xName, xMin = 0, xMax, isLog = false, yMin, lines } = init;
  const option: EChartsCoreOption = {
    textStyle: { fontFamily: FONT },
    title: {
      text: title,
      left: 12,
      top: 10,
      textStyle: { color: theme.text, fontSize: 16, fontWeight: 600, fontFamily: FONT },
    },
    legend: {
      top: 40,
      left: 12,
      itemGap: 22,
      itemWidth: 18,
      itemHeight: 3,
      itemStyle: { opacity: 1 },
      textStyle: { color: theme.text, fontSize: 11, fontFamily: FONT },
      data: lines.map(({ name }) => name),
    },
    color: [...theme.lines],
    grid: { left: isLog ? 72 : 56, right: 24, top: lines.length > 5 ? 112 : 84, bottom: 44 },
    xAxis: {
      type: 'value',
      min: xMin,
      max: xMax,
      name: xName,
      nameLocation: 'middle',
      nameGap: 26,
      nameTextStyle: { color: theme.faint, fontFamily: FONT },
      axisLabel: { color: theme.faint, fontFamily: FONT },
      axisLine: { lineStyle: { color: theme.line }, onZero: false },
      splitLine: { show: false },
    },
    yAxis: {
      type: isLog ? 'log' : 'value',
      ...(isLog ? { min: 1 } : yMin === undefined ? {} : { min: yMin }),
      axisLabel: {
        color: theme.faint,
        fontFamily: FONT,
        ...(isLog ? { formatter: (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ') } : {}),
      },
      splitLine: { lineStyle: { color: theme.line } },
    },
    series: lines.map(({ name, points, isOurs }) => ({
      type: 'line',
      name,
      showSymbol: false,
      lineStyle: { width: isOurs ? (points.length > DENSE ? 2 : 3) : 1.5 },
      z: isOurs ? 3 : 2,
      data: points.map(([x, y]) => [x, isLog ? Math.max(1, y) : y]),
    })),
  };
  return { height: 400, option };
}

// Charts of the comparison benchmark.
import type { EChartsCoreOption } from 'echarts/core';
import { type Drawing, FONT, inBothThemes, lineChart, type Theme, WIDTH } from './charts.js';
import { type Comparison, digits, duration, type Measured } from './comparison.js';

const isOurs = (name: string) => name.startsWith('mqtt-failover');

/** Every chart by path. */
export function comparisonCharts(comparison: Comparison): Record<string, string> {
  return inBothThemes({
    'fail-over': (theme) => failOver(comparison, theme),
    load: (theme) => load(comparison, theme),
    storm: (theme) => storm(comparison, theme),
    'rolling-restart': (theme) => rollingRestart(comparison, theme),
  });
}

interface Bars {
  readonly name: string;
  readonly measured: readonly Measured[];
}

interface Panel {
  readonly title: string;
  /** One or two bars for each contestant. */
  readonly series: readonly [Bars, ...Bars[]];
  readonly label: (measured: Measured) => string;
}

/** Panels of horizontal bars side by side; contestants are named once, at the left. */
function barChart(
  title: string,
  panels: readonly [Panel, ...Panel[]],
  theme: Theme,
  axis: { readonly type: 'value' | 'log'; readonly min?: number; readonly isShared?: boolean },
): Drawing {
  const [{ series: bars }] = panels;
  const names = bars[0].measured.map(({ name }) => name);
  const left = 190;
  const gap = 28;
  const room = 62;
  const width = (WIDTH - left - panels.length * gap) / panels.length;
  const top = 76;
  const plot = names.length * (bars.length * 13 + 12);
  const leftOf = (at: number) => left + at * (width + gap);
  const grids = panels.map((_, at) => ({
    left: leftOf(at),
    top,
    width: width - room,
    height: plot,
  }));
  const titles = panels.map((panel, at) => ({
    text: panel.title,
    left: leftOf(at),
    top: 50,
    textStyle: { color: theme.text, fontSize: 13, fontWeight: 600, fontFamily: FONT },
  }));
  const option: EChartsCoreOption = {
    textStyle: { fontFamily: FONT },
    title: [
      {
        text: title,
        left: 12,
        top: 10,
        textStyle: { color: theme.text, fontSize: 16, fontWeight: 600, fontFamily: FONT },
      },
      ...titles,
    ],
    grid: grids,
    xAxis: panels.map((panel, at) => ({
      type: axis.type,
      gridIndex: at,
      min: axis.min ?? 0,
      max: axis.isShared ? Math.max(...panels.map(longest)) : longest(panel),
      axisLabel: { show: false },
      axisTick: { show: false },
      splitLine: { show: false },
    })),
    yAxis: panels.map((_, at) => ({
      type: 'category',
      gridIndex: at,
      inverse: true,
      data: names,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: theme.line } },
      axisLabel: {
        show: at === 0,
        fontSize: 12,
        fontFamily: FONT,
        color: (name?: string | number) => (isOurs(String(name)) ? theme.ours : theme.text),
      },
    })),
    series: panels.flatMap(({ series, label }, at) =>
      series.map(({ name, measured }, second) => ({
        type: 'bar',
        name,
        xAxisIndex: at,
        yAxisIndex: at,
        barWidth: 11,
        barGap: '20%',
        data: measured.map((each) => ({
          value: Math.max(lengthOf(each), axis.min ?? 0),
          itemStyle: {
            color: isOurs(each.name)
              ? second === 0
                ? theme.ours
                : theme.oursToo
              : second === 0
                ? theme.others
                : theme.othersToo,
          },
          label: {
            show: true,
            position: 'right',
            distance: 4,
            formatter: label(each),
            color: isOurs(each.name) ? theme.ours : theme.faint,
            fontSize: 11,
            fontFamily: FONT,
          },
        })),
      })),
    ),
  };
  return { height: top + plot + 16, option };
}

function longest({ series }: Panel): number {
  return Math.max(...series.flatMap(({ measured }) => measured.map(lengthOf)));
}

/** What is drawn for a median; the cap where it is beyond it. */
function lengthOf({ median, capMs }: Measured): number {
  return Number.isFinite(median) ? median : (capMs ?? 0);
}

function failOver(comparison: Comparison, theme: Theme): Drawing {
  const panel = (scenario: string, title: string): Panel => ({
    title,
    series: [
      { name: 'publisher', measured: comparison.group(scenario, 'publisher gap') },
      { name: 'subscriber', measured: comparison.group(scenario, 'subscriber gap') },
    ],
    label: ({ median, capMs }) => duration(median, capMs),
  });
  const panels: [Panel, ...Panel[]] = [
    panel('crash', 'Crash (kill -9)'),
    panel('hang', 'Hang (SIGSTOP)'),
    panel('syn-drop', 'Host drops SYNs'),
    panel('silent-accept', 'Accepts, says nothing'),
  ];
  const title = 'How long a client is cut off: publisher above, subscriber below; logarithmic';
  return barChart(title, panels, theme, { type: 'log', min: 1 });
}

function load(comparison: Comparison, theme: Theme): Drawing {
  const throughput = (qos: number): Panel => ({
    title: `QoS ${qos}, messages/s`,
    series: [{ name: 'throughput', measured: comparison.group('load', `QoS ${qos} throughput`) }],
    label: ({ median }) => digits(median),
  });
  const latency: Panel = {
    title: 'QoS 1, latency p99',
    series: [{ name: 'p99', measured: comparison.group('load', 'QoS 1 latency p99') }],
    label: ({ median }) => duration(median),
  };
  const panels: [Panel, ...Panel[]] = [throughput(0), throughput(1), throughput(2), latency];
  return barChart('One connected client, 100-byte messages', panels, theme, { type: 'value' });
}

function rollingRestart(comparison: Comparison, theme: Theme): Drawing {
  const panel = (group: string, title: string): Panel => ({
    title,
    series: [{ name: group, measured: comparison.group('rolling-restart', group) }],
    label: ({ median }) => digits(median),
  });
  const panels: [Panel, ...Panel[]] = [panel('before', 'before'), panel('after', 'after')];
  const title = 'Clients on the fullest of three nodes ÷ mean, before and after a rolling restart';
  return barChart(title, panels, theme, { type: 'value', isShared: true });
}

function storm(comparison: Comparison, theme: Theme): Drawing {
  return lineChart(
    {
      title: 'CONNECTs per 100 ms after one of five nodes has died with 200 of 1 000 clients',
      xName: 'seconds after the death',
      xMax: 4,
      lines: comparison.group('storm', 'timeline').map(({ name, samples }) => ({
        name,
        isOurs: isOurs(name),
        points: samples.map((count, bin) => [bin / 10, count]),
      })),
    },
    theme,
  );
}

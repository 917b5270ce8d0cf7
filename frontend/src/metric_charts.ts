// Metrics over time, made of the numbers that the page shows below each chart.

import { readByKeyboard } from "./chart_keys";
import { all, numberOf, replaceDrawing } from "./dom";
import type { EChartsCoreOption } from "./echarts";
import { chartIn, isTouched, tip } from "./echarts";
import { colours, font, onThemeChange } from "./theme";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Write a tick in UTC: a day, or the time within it. */
function tick(time: number): string {
  const when = new Date(time);
  const isDay = when.getUTCHours() + when.getUTCMinutes() === 0;
  return isDay ? `${when.getUTCDate()} ${MONTHS[when.getUTCMonth()] ?? ""}` : when.toISOString().slice(11, 16);
}

interface Bucket {
  readonly time: number;
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly isAnomalous: boolean;
  readonly lines: string[];
}

/** Draw every metric of the view. */
export function drawMetrics(): void {
  for (const figure of all("figure.chart[data-metric]")) draw(figure);
}

function draw(figure: HTMLElement): void {
  const drawn = figure.querySelector("svg");
  const buckets = all<HTMLTableRowElement>("tbody tr", figure).map(bucketOf).reverse();
  if (!drawn || !buckets.length) return;
  const levels = new Map(all<SVGTextElement>("[data-level]", drawn).map((each) => [Number(each.dataset["level"]), each.textContent ?? ""]));
  const name = `${figure.querySelector("figcaption strong")?.textContent ?? ""}. ${drawn.querySelector("desc")?.textContent ?? ""}`;
  const place = replaceDrawing(drawn, "plot");
  const chart = chartIn(place);
  const render = () => chart.setOption(option(buckets, levels), { notMerge: true });
  render();
  onThemeChange(render);
  readByKeyboard(place, chart, name, buckets.map((bucket) => bucket.lines.join(", ")));
}

function bucketOf(row: HTMLTableRowElement): Bucket {
  const texts = [...row.cells].map((cell) => cell.textContent?.trim() ?? "");
  const [end = "", value = "", expected = "", verdict = ""] = texts;
  return {
    time: Date.parse(row.querySelector("time")?.dateTime ?? ""),
    value: numberOf(row.dataset["value"]),
    low: numberOf(row.dataset["low"]),
    high: numberOf(row.dataset["high"]),
    isAnomalous: "anomalous" in row.dataset,
    lines: [`${end} UTC`, value, ...(expected === "-" ? [] : [`expected ${expected}`]), ...(verdict === "-" || verdict === "as expected" ? [] : [row.dataset["reason"] ?? verdict])],
  };
}

function option(buckets: readonly Bucket[], levels: ReadonlyMap<number, string>): EChartsCoreOption {
  const shade = colours();
  const heights = [...levels.keys()];
  // A line shows no value that has none beside it.
  const isAlone = (at: number) => (buckets[at - 1]?.value ?? null) === null && (buckets[at + 1]?.value ?? null) === null;
  const plain = { type: "line", symbol: "none", silent: true, emphasis: { disabled: true }, lineStyle: { width: 0 }, stack: "range", stackStrategy: "all" };
  return {
    animation: false,
    useUTC: true,
    textStyle: font(),
    // As wide as the longest text, so that none is cut off.
    grid: { left: 14 + 6.5 * Math.max(...[...levels.values()].map((text) => text.length)), right: 18, top: 12, bottom: 46 },
    xAxis: {
      type: "time",
      splitNumber: 4,
      axisLine: { onZero: false, lineStyle: { color: shade.line } },
      axisTick: { show: false },
      // The padding keeps labels apart that would only touch.
      axisLabel: { color: shade.faint, hideOverlap: true, showMinLabel: false, fontSize: 11, padding: [0, 8], formatter: tick },
    },
    yAxis: {
      type: "value",
      min: Math.min(...heights),
      max: Math.max(...heights),
      ...(heights.length === 1 ? { scale: true, min: (heights[0] ?? 0) - 1, max: (heights[0] ?? 0) + 1 } : {}),
      axisLabel: { color: shade.faint, fontSize: 11, customValues: heights, formatter: (value: number) => levels.get(value) ?? "" },
      axisTick: { show: false },
      splitLine: { show: false },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: shade.raised,
      borderColor: shade.line,
      textStyle: { color: shade.ink, fontSize: 12 },
      axisPointer: { type: "line", lineStyle: { color: shade.faint } },
      formatter: (shown: { dataIndex: number }[]) => tip(buckets[shown[0]?.dataIndex ?? -1]?.lines ?? []),
    },
    dataZoom: [
      { type: "inside", filterMode: "none", disabled: isTouched, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
      {
        type: "slider",
        filterMode: "none",
        height: 14,
        bottom: 6,
        showDetail: false,
        brushSelect: false,
        backgroundColor: shade.raised,
        borderColor: shade.line,
        fillerColor: shade.band,
        handleStyle: { color: shade.ground, borderColor: shade.faint },
        moveHandleSize: 0,
        dataBackground: { lineStyle: { opacity: 0 }, areaStyle: { opacity: 0 } },
        selectedDataBackground: { lineStyle: { opacity: 0 }, areaStyle: { opacity: 0 } },
      },
    ],
    series: [
      {
        type: "line",
        data: buckets.map(({ time, value }, at) => ({ value: [time, value], symbol: isAlone(at) ? "circle" : "none" })),
        symbolSize: 4,
        lineStyle: { color: shade.value, width: 1.8 },
        itemStyle: { color: shade.value },
        emphasis: { disabled: true },
        z: 3,
      },
      { ...plain, data: buckets.map(({ time, low }) => [time, low]), z: 1 },
      {
        ...plain,
        data: buckets.map(({ time, low, high }) => [time, low === null || high === null ? null : high - low]),
        areaStyle: { color: shade.band, opacity: 1 },
        z: 1,
      },
      {
        type: "scatter",
        symbol: "triangle",
        symbolSize: 11,
        itemStyle: { color: shade.odd, borderColor: shade.ground, borderWidth: 1 },
        data: buckets.map(({ time, value, isAnomalous }) => [time, isAnomalous ? (value ?? heights[0] ?? 0) : null]),
        z: 4,
      },
    ],
  };
}

// The health of the last days: tables with an open incident, by the worst severity.

import { readByKeyboard } from "./chart_keys";
import { all, replaceDrawing } from "./dom";
import type { EChartsCoreOption } from "./echarts";
import { chartIn, tip } from "./echarts";
import { colours, font, onThemeChange } from "./theme";

const SEVERITIES = { critical: "bad", high: "severe", normal: "doubt", low: "faint" } as const;

/** Draw the health of the days of the view, if it has any. */
export function drawHealth(): void {
  const figure = document.querySelector("figure.health");
  const drawn = figure?.querySelector("svg");
  if (!figure || !drawn) return;
  const heads = all("thead th", figure).slice(1).map((cell) => cell.textContent?.trim().toLowerCase() ?? "");
  const rows = all<HTMLTableRowElement>("tbody tr", figure).reverse();
  const days = rows.map((row) => row.cells[0]?.textContent?.trim() ?? "");
  const counts = rows.map((row) => [...row.cells].slice(1).map((cell) => Number(cell.textContent?.trim() || "NaN")));
  const texts = rows.map((row, at) =>
    "unknown" in row.dataset
      ? [days[at] ?? "", "not known: no sync covers this day"]
      : [days[at] ?? "", ...heads.map((name, column) => `${name}: ${counts[at]?.[column] ?? 0}`)],
  );
  const unknown = rows.map((row) => "unknown" in row.dataset);
  const place = replaceDrawing(drawn, "plot");
  const chart = chartIn(place);
  const render = () => chart.setOption(option(heads, days, counts, unknown, texts), { notMerge: true });
  render();
  onThemeChange(render);
  readByKeyboard(place, chart, figure.querySelector("figcaption")?.textContent?.trim() ?? "", texts.map((lines) => lines.join(", ")));
}

function option(heads: string[], days: string[], counts: number[][], unknown: boolean[], texts: string[][]): EChartsCoreOption {
  const shade = colours();
  const highest = Math.max(1, ...counts.map((each) => each.reduce((sum, count) => sum + (count || 0), 0)));
  return {
    animation: false,
    textStyle: font(),
    grid: { left: 34, right: 8, top: 10, bottom: 24 },
    xAxis: { type: "category", data: days, axisTick: { show: false }, axisLine: { lineStyle: { color: shade.line } }, axisLabel: { color: shade.faint, fontSize: 11, hideOverlap: true } },
    yAxis: { type: "value", minInterval: 1, axisLabel: { color: shade.faint, fontSize: 11 }, splitLine: { lineStyle: { color: shade.line } } },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: shade.raised,
      borderColor: shade.line,
      textStyle: { color: shade.ink, fontSize: 12 },
      axisPointer: { type: "shadow" },
      formatter: (shown: { dataIndex: number }[]) => tip(texts[shown[0]?.dataIndex ?? -1] ?? []),
    },
    series: [
      ...heads.map((name, column) => ({
        type: "bar",
        stack: "day",
        barCategoryGap: "20%",
        itemStyle: { color: shade[SEVERITIES[name as keyof typeof SEVERITIES] ?? "faint"] },
        data: counts.map((each) => each[column] ?? 0),
      })),
      { type: "bar", stack: "day", silent: true, itemStyle: { color: shade.raised, borderColor: shade.line, borderType: "dashed" }, data: unknown.map((is) => (is ? highest : 0)) },
    ],
  };
}

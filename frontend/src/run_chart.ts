// The executions of a dbt command on a time axis.

import { readByKeyboard } from "./chart_keys";
import { all, replaceDrawing } from "./dom";
import type { EChartsCoreOption } from "./echarts";
import { chartIn, isTouched, tip } from "./echarts";
import { colours, font, onThemeChange } from "./theme";

const ROW = 18;

interface Bar {
  readonly name: string;
  readonly text: string;
  readonly start: number;
  readonly seconds: number;
  readonly colour: "odd" | "value" | "faint";
}

/** Draw the executions of the view, if it has any. */
export function drawRun(): void {
  const drawn = document.querySelector(".gantt svg");
  if (!drawn) return;
  const bars = all<SVGRectElement>("rect[data-start]", drawn).map(barOf);
  const frame = drawn.parentElement;
  frame?.removeAttribute("tabindex");
  frame?.removeAttribute("role");
  frame?.removeAttribute("aria-label");
  const place = replaceDrawing(drawn, "plot");
  // A style of its own would be refused in the page's source; set by the script it is not.
  place.style.height = `${bars.length * ROW + 62}px`;
  const chart = chartIn(place);
  const render = () => chart.setOption(option(bars), { notMerge: true });
  render();
  onThemeChange(render);
  readByKeyboard(place, chart, "Executions on a time axis", bars.map((bar) => bar.text));
}

function barOf(shape: SVGRectElement): Bar {
  const { name = "", start = "0", seconds = "0" } = shape.dataset;
  const colour = shape.classList.contains("failed") ? "odd" : shape.classList.contains("critical") ? "value" : "faint";
  return { name, text: shape.textContent?.trim() ?? name, start: Number(start), seconds: Number(seconds), colour };
}

function option(bars: readonly Bar[]): EChartsCoreOption {
  const shade = colours();
  const narrow = innerWidth < 600;
  return {
    animation: false,
    textStyle: font(),
    grid: { left: narrow ? 120 : 230, right: 24, top: 24, bottom: 34 },
    xAxis: {
      type: "value",
      position: "top",
      min: 0,
      max: Math.max(...bars.map((bar) => bar.start + bar.seconds)),
      axisLabel: { color: shade.faint, fontSize: 11, hideOverlap: true, showMaxLabel: false, formatter: (value: number) => `${+value.toFixed(1)} s` },
      splitLine: { lineStyle: { color: shade.line } },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: bars.map((bar) => bar.name),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: shade.ink, fontSize: 11, width: narrow ? 100 : 205, overflow: "truncate", interval: 0 },
    },
    tooltip: {
      confine: true,
      backgroundColor: shade.raised,
      borderColor: shade.line,
      textStyle: { color: shade.ink, fontSize: 12 },
      formatter: ({ dataIndex }: { dataIndex: number }) => tip([bars[dataIndex]?.text ?? ""]),
    },
    dataZoom: [
      { type: "inside", xAxisIndex: 0, filterMode: "weakFilter", disabled: isTouched, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
      { type: "slider", xAxisIndex: 0, filterMode: "weakFilter", height: 14, bottom: 8, showDetail: false, brushSelect: false, borderColor: shade.line, fillerColor: shade.band, moveHandleSize: 0 },
    ],
    series: [
      {
        type: "custom",
        clip: true,
        encode: { x: [0, 1], y: 2 },
        data: bars.map((bar, row) => [bar.start, bar.start + bar.seconds, row]),
        renderItem: (_: unknown, api: RenderApi) => {
          const row = api.value(2);
          const [left = 0, top = 0] = api.coord([api.value(0), row]);
          const [right = 0] = api.coord([api.value(1), row]);
          const fill = shade[bars[row]?.colour ?? "faint"];
          return { type: "rect", shape: { x: left, y: top - 6, width: Math.max(right - left, 2), height: 12 }, style: { fill } };
        },
      },
    ],
  };
}

interface RenderApi {
  value(dimension: number): number;
  coord(point: [number, number]): number[];
}

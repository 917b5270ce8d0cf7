// ECharts with the parts that the page uses, and nothing else.

import { CustomChart, LineChart, ScatterChart, BarChart } from "echarts/charts";
import { DataZoomComponent, GridComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import type { EChartsCoreOption, EChartsType } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { element } from "./dom";

use([BarChart, CustomChart, LineChart, ScatterChart, DataZoomComponent, GridComponent, TooltipComponent, SVGRenderer]);

export type { EChartsCoreOption, EChartsType };

/** Whether the person points with a finger: then a chart must not take the gesture that scrolls the page. */
export const isTouched = matchMedia("(pointer: coarse)").matches;

/** Make a chart that follows the size of its place. */
export function chartIn(place: HTMLElement): EChartsType {
  const chart = init(place, null, { renderer: "svg" });
  new ResizeObserver(() => chart.resize()).observe(place);
  return chart;
}

/** Return a tooltip's content. An element, because the style sheet alone may set styles: a text would bring its own. */
export function tip(lines: readonly string[]): HTMLElement {
  return element("div", "tip", ...lines.map((line, number) => element(number ? "span" : "strong", "", line)));
}

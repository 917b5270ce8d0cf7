// Reads a chart by keyboard: arrows go from value to value, + and - zoom.

import type { EChartsType } from "./echarts";

/**
 * Make a chart's place a slider over its values, which a screen reader speaks.
 * @param texts what each value says, in order.
 * @param series the index of the series that shows the tooltip.
 */
export function readByKeyboard(place: HTMLElement, chart: EChartsType, label: string, texts: string[], series = 0): void {
  let at = texts.length - 1;
  let span = 100;
  place.tabIndex = 0;
  place.setAttribute("role", "slider");
  place.setAttribute("aria-label", label);
  place.setAttribute("aria-valuemin", "1");
  place.setAttribute("aria-valuemax", String(Math.max(texts.length, 1)));

  function show(isSeen: boolean): void {
    place.setAttribute("aria-valuenow", String(at + 1));
    place.setAttribute("aria-valuetext", texts[at] ?? "no value");
    if (isSeen) chart.dispatchAction({ type: "showTip", seriesIndex: series, dataIndex: at });
  }

  function zoom(factor: number): void {
    span = Math.min(100, Math.max(5, span * factor));
    const middle = (100 * at) / Math.max(texts.length - 1, 1);
    const start = Math.min(Math.max(middle - span / 2, 0), 100 - span);
    chart.dispatchAction({ type: "dataZoom", start, end: start + span });
  }

  const moves: Record<string, () => void> = {
    ArrowLeft: () => (at = Math.max(at - 1, 0)),
    ArrowRight: () => (at = Math.min(at + 1, texts.length - 1)),
    Home: () => (at = 0),
    End: () => (at = texts.length - 1),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
    "0": () => zoom(Infinity),
  };
  place.addEventListener("keydown", (event) => {
    const move = event.ctrlKey || event.metaKey || event.altKey ? undefined : moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
    show(true);
  });
  place.addEventListener("blur", () => chart.dispatchAction({ type: "hideTip" }));
  show(false);
}

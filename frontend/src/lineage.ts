// The lineage of a table or of the project as a graph: layout by dagre, drawn as SVG, with pan and zoom.

import { Graph, layout } from "@dagrejs/dagre";
import { all, element } from "./dom";

const SVG = "http://www.w3.org/2000/svg";
// The layout of more takes seconds, and nobody can read it: then the lists stay.
const MOST = 300;
const HEIGHT = 44;
const LETTER = 7.6;
const LETTERS = 34;

interface Box {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly href: string;
  readonly upstream: readonly string[];
  readonly isHere: boolean;
}

/** Draw the graph of the view, if its table has neighbours. */
export function drawLineage(): void {
  const lists = document.querySelector<HTMLElement>(".lineage");
  if (!lists) return;
  const boxes = all("[data-node]", lists).map(boxOf);
  if (boxes.length < 2 || boxes.length > MOST) return;
  const frame = element("div", "graph");
  frame.append(toolbar(frame), picture(boxes));
  const text = element("details", "", element("summary", "", "As lists"));
  lists.replaceWith(frame, text);
  text.append(lists);
  panAndZoom(frame);
}

function boxOf(place: HTMLElement): Box {
  const { node = "", kind = "", state = "", upstream = "[]" } = place.dataset;
  const link = place.querySelector("a");
  return {
    id: node,
    name: place.dataset["name"] ?? "",
    kind,
    state,
    href: link?.getAttribute("href") ?? "",
    upstream: JSON.parse(upstream) as string[],
    isHere: "here" in place.dataset,
  };
}

function short(name: string): string {
  return name.length > LETTERS ? `…${name.slice(1 - LETTERS)}` : name;
}

function shape(name: string, values: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

function picture(boxes: readonly Box[]): SVGElement {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 56, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const ids = new Set(boxes.map((box) => box.id));
  for (const box of boxes) graph.setNode(box.id, { width: short(box.name).length * LETTER + 24, height: HEIGHT });
  for (const box of boxes) for (const near of box.upstream) if (ids.has(near) && near !== box.id) graph.setEdge(near, box.id);
  layout(graph);
  const edges = graph.edges().map((edge) => {
    const points: { x: number; y: number }[] = graph.edge(edge).points ?? [];
    return shape("path", { class: "edge", d: curve(points), "marker-end": "url(#arrow)" });
  });
  const nodes = boxes.map((box) => {
    const { x, y, width } = graph.node(box.id) as { x: number; y: number; width: number };
    const title = shape("title", {}, `${box.name}, ${box.kind}${box.state ? `, ${box.state}` : ""}`);
    const parts = [
      title,
      shape("rect", { x: x - width / 2, y: y - HEIGHT / 2, width, height: HEIGHT, rx: 6 }),
      shape("text", { x: x - width / 2 + 10, y: y - 3 }, short(box.name)),
      shape("text", { x: x - width / 2 + 10, y: y + 13, class: "label" }, [box.kind, box.state].filter(Boolean).join(", ")),
    ];
    const group = shape("g", { class: `node ${box.state}${box.isHere ? " here" : ""}` }, ...parts);
    return box.href ? shape("a", { href: box.href }, group) : group;
  });
  const size = graph.graph() as { width?: number; height?: number };
  const arrow = shape("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, shape("path", { class: "head", d: "M0,0L8,4L0,8Z" }));
  return shape(
    "svg",
    { viewBox: `0 0 ${size.width ?? 1} ${size.height ?? 1}`, role: "group", "aria-label": "Lineage graph, upstream on the left" },
    shape("defs", {}, arrow),
    ...edges,
    ...nodes,
  );
}

function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...others] = points;
  if (!first) return "";
  let text = `M${first.x},${first.y}`;
  let before = first;
  for (const point of others) {
    const middle = (before.x + point.x) / 2;
    text += `C${middle},${before.y} ${middle},${point.y} ${point.x},${point.y}`;
    before = point;
  }
  return text;
}

function toolbar(frame: HTMLElement): HTMLElement {
  const made = element("p", "tools");
  for (const [label, name, action] of [["+", "Zoom in", "in"], ["−", "Zoom out", "out"], ["Fit", "Fit the whole graph", "fit"]] as const) {
    const button = element("button", "", label);
    button.type = "button";
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => frame.dispatchEvent(new CustomEvent("zoom", { detail: action })));
    made.append(button);
  }
  return made;
}

/** Let the graph be moved by pointer, arrow keys and buttons. */
function panAndZoom(frame: HTMLElement): void {
  const drawing = frame.querySelector<SVGSVGElement>("svg");
  if (!drawing) return;
  const { width, height } = drawing.viewBox.baseVal;
  const wide = Math.max(frame.clientWidth, 1);
  // No smaller than can be read: a large graph begins at its own table.
  let scale = Math.max(Math.min(wide / width, 1), 0.6);
  const tall = Math.min(Math.max(height * scale, 120), 520);
  frame.style.setProperty("--tall", `${tall}px`);
  let x = 0;
  let y = 0;

  function show(): void {
    const [w, h] = [wide / scale, tall / scale];
    x = Math.min(Math.max(x, Math.min(0, width - w)), Math.max(0, width - w));
    y = Math.min(Math.max(y, Math.min(0, height - h)), Math.max(0, height - h));
    drawing?.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
  }

  function zoom(factor: number): void {
    const [w, h] = [wide / scale, tall / scale];
    const next = Math.min(Math.max(scale * factor, 0.1), 3);
    x += (w - wide / next) / 2;
    y += (h - tall / next) / 2;
    scale = next;
    show();
  }

  function centre(): void {
    const here = drawing?.querySelector(".here rect");
    x = Number(here?.getAttribute("x") ?? 0) + Number(here?.getAttribute("width") ?? 0) / 2 - wide / scale / 2;
    y = Number(here?.getAttribute("y") ?? 0) + HEIGHT / 2 - tall / scale / 2;
    show();
  }

  frame.addEventListener("zoom", (event) => {
    const action = (event as CustomEvent<string>).detail;
    if (action === "fit") {
      scale = Math.min(wide / width, tall / height, 1);
      show();
    } else zoom(action === "in" ? 1.4 : 1 / 1.4);
  });
  drawing.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, { passive: false });
  let from: { x: number; y: number } | null = null;
  let moved = 0;
  drawing.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, y: event.clientY };
    moved = 0;
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!from) return;
    moved += Math.abs(event.clientX - from.x) + Math.abs(event.clientY - from.y);
    x -= (event.clientX - from.x) / scale;
    y -= (event.clientY - from.y) / scale;
    from = { x: event.clientX, y: event.clientY };
    show();
  });
  for (const name of ["pointerup", "pointerleave", "pointercancel"]) drawing.addEventListener(name, () => (from = null));
  // The end of a drag is no click on a link.
  drawing.addEventListener("click", (event) => { if (moved > 6) event.preventDefault(); }, { capture: true });
  drawing.addEventListener("dragstart", (event) => event.preventDefault());
  drawing.addEventListener("focusin", (event) => {
    const box = (event.target as Element).querySelector("rect");
    if (!box) return;
    const left = Number(box.getAttribute("x"));
    const top = Number(box.getAttribute("y"));
    if (left < x || left + 40 > x + wide / scale) x = left - 40;
    if (top < y || top + HEIGHT > y + tall / scale) y = top - 40;
    show();
  });
  centre();
}

// Small helpers for elements.

/** Return a new element of a class with children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Return the elements below a place that match. */
export function all<Found extends Element = HTMLElement>(selector: string, below: ParentNode = document): Found[] {
  return [...below.querySelectorAll<Found>(selector)];
}

/** Return a number of an element's data; null where it has none. */
export function numberOf(value: string | undefined): number | null {
  return value === undefined || value === "" ? null : Number(value);
}

/** Replace the drawing of the server by an empty place of our own, which takes its name. */
export function replaceDrawing(drawn: Element, className: string): HTMLDivElement {
  const place = element("div", className);
  drawn.replaceWith(place);
  return place;
}

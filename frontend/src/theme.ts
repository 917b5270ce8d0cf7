// The colours of the style sheet, which follow the theme of the system.

const NAMES = ["ground", "raised", "ink", "faint", "line", "link", "good", "bad", "doubt", "odd", "severe", "value", "band"] as const;

export type Colours = Record<(typeof NAMES)[number], string>;

/** Return the colours of the theme that the system shows now. */
export function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Colours;
}

/** Return the page's font by its name: with `inherit`, labels that ECharts writes as rich text have no size. */
export function font(): { fontFamily: string } {
  return { fontFamily: getComputedStyle(document.body).fontFamily };
}

/** Call a function whenever the system changes its theme. */
export function onThemeChange(draw: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

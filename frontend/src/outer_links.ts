// Opens links that leave the page. Airflow's frame lets none of its links do that.

import { all } from "./dom";

/** Let the links to Airflow's own views be opened by the window around the frame. */
export function outerLinks(): void {
  for (const link of all<HTMLAnchorElement>("a[data-out]"))
    link.addEventListener("click", (event) => {
      if (parent === window) return;
      event.preventDefault();
      const outside = parent.document.createElement("a");
      outside.href = link.href;
      if (event.ctrlKey || event.metaKey) outside.target = "_blank";
      outside.rel = "noopener";
      parent.document.body.append(outside);
      outside.click();
      outside.remove();
    });
}

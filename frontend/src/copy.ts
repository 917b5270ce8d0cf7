// Copies commands and ids.

import { all, element } from "./dom";

/** Put a button beside each command and each id that a person may want elsewhere. */
export function copyButtons(): void {
  for (const place of all("pre > code, code[data-copy]")) {
    const beside = place.parentElement?.tagName === "PRE" ? place.parentElement : place;
    const button = element("button", "copy", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy ${place.dataset["copy"] || "the command"}`);
    button.addEventListener("click", () => void copy(place.textContent?.trim() ?? "", button));
    beside.after(button);
  }
}

async function copy(text: string, button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without https the browser has no clipboard for scripts.
    button.textContent = "Select and copy by hand";
  }
  button.setAttribute("aria-live", "polite");
}

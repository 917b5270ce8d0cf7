// Opens addresses of other hosts: Airflow's frame lets no link leave it, so the document around the frame opens them.

import { all } from "./dom";

/** Turn each address that the server wrote as text into a link. */
export function outsideLinks(): void {
  for (const place of all("code[data-outside]")) {
    const address = place.textContent?.trim() ?? "";
    if (!/^https?:\/\//i.test(address)) continue;
    const link = outsideLink(document, address);
    link.textContent = address;
    link.addEventListener("click", (event) => {
      const around = documentAround();
      if (!around) return;
      event.preventDefault();
      const copy = outsideLink(around, address);
      around.body.append(copy);
      copy.click();
      copy.remove();
    });
    place.replaceChildren(link);
  }
}

function outsideLink(where: Document, address: string): HTMLAnchorElement {
  const link = where.createElement("a");
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

/** Return the document of Airflow's own page; null outside of its frame. */
function documentAround(): Document | null {
  try {
    return parent === window ? null : parent.document;
  } catch {
    // A frame of another host: then the browser decides about the link.
    return null;
  }
}

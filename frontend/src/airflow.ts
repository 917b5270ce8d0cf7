// Airflow's own API, with the session of the person who looks at the page.

/** Airflow refused, with the sentence that it gave. */
export class RefusedError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** Return Airflow's answer. */
export async function ask<Answer>(path: string, body?: unknown): Promise<Answer> {
  // Airflow may be below a prefix, of whatever name: the page is below the same.
  const base = location.pathname.replace(/\/elementary\/[^/]*$/, "");
  const options: RequestInit = { credentials: "same-origin" };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(`${base}/api/v2/${path}`, options);
  const found = (await answer.json().catch(() => ({}))) as Answer & { detail?: unknown };
  if (answer.ok) return found;
  const detail = typeof found.detail === "string" ? found.detail : "";
  throw new RefusedError(answer.status, detail || `Airflow answered ${answer.status}.`);
}

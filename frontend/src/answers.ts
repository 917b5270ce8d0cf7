// Sends an answer to an incident: a run of the DAG elementary_answer in the name of the signed-in user.

import { RefusedError, ask } from "./airflow";
import { all } from "./dom";

const RUNS = "dags/elementary_answer/dagRuns";
const SECONDS = 120;
const REFUSALS: Readonly<Record<number, string>> = {
  401: "Sign in to Airflow, then answer again.",
  403: "Permission denied: an answer requires Airflow's permission to trigger the DAG elementary_answer.",
  404: "Airflow does not have the DAG elementary_answer. Copy it from the example DAGs of this provider.",
};

type Say = (text: string, kind?: "notice" | "problem") => void;

/** Show the form of the view, if it has one; without this script the view shows the command. */
export function answerIncident(): void {
  const form = document.querySelector<HTMLFormElement>("form#answer");
  const said = document.getElementById("answer-said");
  const kind = form?.querySelector<HTMLSelectElement>("select[name=answer]");
  if (!form || !said || !kind) return;
  const say: Say = (text, className = "notice") => {
    said.textContent = text;
    said.className = className;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form, say);
  });
  kind.addEventListener("change", () => showFields(form, kind));
  showFields(form, kind);
  form.hidden = false;
}

/** Show the fields that the chosen answer has; what is hidden is not sent. */
function showFields(form: HTMLFormElement, kind: HTMLSelectElement): void {
  const wanted = (kind.selectedOptions[0]?.dataset["fields"] ?? "").split(" ");
  for (const field of all("[data-field]", form)) {
    field.hidden = !wanted.includes(field.dataset["field"] ?? "");
    for (const input of all<HTMLInputElement | HTMLSelectElement>("input, select", field)) input.disabled = field.hidden;
  }
}

async function send(form: HTMLFormElement, say: Say): Promise<void> {
  const conf = valuesOf(form);
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  const run = `answer__${String(conf["incident_id"])}__${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  say("Sending the answer.");
  try {
    await ask(RUNS, { logical_date: null, dag_run_id: run, conf });
    say("The answer is being recorded.");
    if (await hasEnded(run)) location.reload();
    else say(`The run ${run} of elementary_answer has not ended yet. Reload this view later.`);
  } catch (error) {
    say(error instanceof RefusedError ? (REFUSALS[error.status] ?? error.message) : String(error), "problem");
    if (button) button.disabled = false;
  }
}

function valuesOf(form: HTMLFormElement): Record<string, string | string[]> {
  const conf: Record<string, string | string[]> = {};
  for (const [name, value] of new FormData(form)) {
    if (typeof value !== "string" || value === "") continue;
    if (name !== "conditions") conf[name] = value;
    else conf[name] = [...(conf[name] ?? []), value];
  }
  return conf;
}

/** Wait for the run; false where it takes longer than a person waits. */
async function hasEnded(run: string): Promise<boolean> {
  for (let second = 0; second < SECONDS; second += 2) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const { state } = await ask<{ state: string }>(`${RUNS}/${encodeURIComponent(run)}`);
    if (state === "success") return true;
    if (state === "failed") throw new RefusedError(0, `The run ${run} of elementary_answer failed. Its log says why.`);
  }
  return false;
}

// Starts a run of the DAG elementary_answer in the name of the signed-in user, and shows what became of it.
"use strict";
(() => {
  const form = document.getElementById("answer");
  const said = document.getElementById("answer-said");
  if (!form || !said) return;
  const runs = `${location.pathname.replace(/\/elementary\/incident\/?$/, "")}/api/v2/dags/elementary_answer/dagRuns`;
  const refused = {
    401: "Sign in to Airflow, then answer again.",
    403: "Permission denied: an answer requires Airflow's permission to trigger the DAG elementary_answer.",
    404: "Airflow does not have the DAG elementary_answer. Copy it from the example DAGs of this provider.",
  };

  function say(text, isBad) {
    said.textContent = text;
    said.className = isBad ? "problem" : "notice";
  }

  function choose() {
    const wanted = form.elements.answer.selectedOptions[0].dataset.fields.split(" ");
    for (const field of form.querySelectorAll("[data-field]")) {
      field.hidden = !wanted.includes(field.dataset.field);
      for (const input of field.querySelectorAll("input, select")) input.disabled = field.hidden;
    }
  }

  async function ask(address, options) {
    const answer = await fetch(address, { credentials: "same-origin", ...options });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    const detail = typeof body.detail === "string" ? body.detail : `Airflow answered ${answer.status}.`;
    throw new Error(refused[answer.status] || detail);
  }

  async function outcome(run) {
    for (let second = 0; second < 120; second += 2) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const { state } = await ask(`${runs}/${encodeURIComponent(run)}`);
      if (state === "success") return true;
      if (state === "failed") throw new Error(`The run ${run} of elementary_answer failed. Its log says why.`);
    }
    return false;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const conf = { conditions: given.getAll("conditions") };
    for (const [name, value] of given) if (name !== "conditions" && value !== "") conf[name] = value;
    if (!conf.conditions.length) delete conf.conditions;
    const bytes = crypto.getRandomValues(new Uint8Array(4));
    const run = `answer__${conf.incident_id}__${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    const button = form.querySelector("button");
    button.disabled = true;
    say("Sending the answer.");
    try {
      await ask(runs, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ logical_date: null, dag_run_id: run, conf }),
      });
      say("The answer is being recorded.");
      if (await outcome(run)) location.reload();
      else say(`The run ${run} of elementary_answer has not ended yet. Reload this view later.`);
    } catch (error) {
      say(error.message, true);
      button.disabled = false;
    }
  });
  form.elements.answer.addEventListener("change", choose);
  choose();
  form.hidden = false;
})();

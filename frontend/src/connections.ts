// Tests Elementary's connections and shows the sentence of the hook, which Airflow's own form does not show.

import { RefusedError, ask } from "./airflow";
import { element } from "./dom";

interface Connection {
  readonly connection_id: string;
  readonly conn_type: string;
  readonly extra: string | null;
}

const LIMIT = 100;

/** List the connections with a button each, where the view has a place for them. */
export function testConnections(): void {
  const place = document.getElementById("connection-tests");
  if (place) void list(place);
}

async function list(place: HTMLElement): Promise<void> {
  let found: Connection[];
  try {
    found = await elementaryConnections();
  } catch (error) {
    place.append(element("p", "", refusal(error, "list connections")));
    return;
  }
  const rows = found.map((connection) => row(connection));
  place.append(rows.length ? element("ul", "tests", ...rows) : element("p", "", "Airflow's database holds no connection of this provider."));
}

async function elementaryConnections(): Promise<Connection[]> {
  const found: Connection[] = [];
  for (let offset = 0; ; offset += LIMIT) {
    const part = await ask<{ connections: Connection[]; total_entries: number }>(`connections?limit=${LIMIT}&offset=${offset}`);
    found.push(...part.connections.filter((each) => /^elementary(_|$)/.test(each.conn_type)));
    if (offset + LIMIT >= part.total_entries || !part.connections.length) return found;
  }
}

function row(connection: Connection): HTMLLIElement {
  const button = element("button", "", "Test");
  button.type = "button";
  button.setAttribute("aria-label", `Test ${connection.connection_id}`);
  const said = element("p", "said");
  said.setAttribute("role", "status");
  button.addEventListener("click", () => void test(connection, button, said));
  return element("li", "", element("code", "", connection.connection_id), ` ${connection.conn_type} `, button, said);
}

async function test(connection: Connection, button: HTMLButtonElement, said: HTMLElement): Promise<void> {
  const { connection_id, conn_type, extra } = connection;
  button.disabled = true;
  said.textContent = "Testing.";
  said.className = "said";
  try {
    // Without host and port: Airflow compares those with the stored ones and refuses where they are empty.
    const { status, message } = await ask<{ status: boolean; message: string }>("connections/test", { connection_id, conn_type, extra });
    said.textContent = message;
    said.className = status ? "said good" : "said bad";
  } catch (error) {
    said.textContent = refusal(error, "test connections");
    said.className = "said bad";
  }
  button.disabled = false;
}

function refusal(error: unknown, what: string): string {
  if (!(error instanceof RefusedError)) return `Airflow did not answer: ${String(error)}`;
  if (error.status === 403 && /disabled/i.test(error.message))
    return "Tests of connections are switched off. Set test_connection = Enabled in [core] of Airflow's configuration, or run airflow-elementary doctor.";
  if (error.status === 403) return `Your role in Airflow may not ${what}. Run airflow-elementary doctor on the command line.`;
  return error.message;
}

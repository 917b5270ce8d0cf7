"""Runs the example DAG on the sample data in one folder."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from airflow_provider_elementary.cli.exits import NOT_DONE
from airflow_provider_elementary.cli.summary import show_store
from airflow_provider_elementary.sample import LAST_DAY, build_sample
from airflow_provider_elementary.snapshots import Repository, open_store
from airflow_provider_elementary.snapshots.store_settings import parse_store
from airflow_provider_elementary.snapshots.store_setup import create_store, new_local_keys, write_private_file

#: The folder of the example DAGs; imported, because a checkout without symbolic links has them in ``dags`` only.
EXAMPLE_DAGS = Path(str(import_module("airflow_provider_elementary.example_dags").__file__)).parent
_DAG_ID = "elementary_observability"
_DAYS = 60
_LINES_ON_FAILURE = 40


def run_demo(home: Path) -> int:
    """Run the example DAG once and show what it found.

    :param home: the folder for the sample, the keys, the store and Airflow's own files; created if it is missing.
    :return: 0 if the DAG run succeeded, else 3.
    """
    home.mkdir(parents=True, exist_ok=True)
    connection = _create_store(home)
    environment = _environment(home, connection)
    with os.fdopen(os.open(home / "env.sh", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))
    build_sample(home / "sample.duckdb")
    started = time.monotonic()
    if status := _run_dag(home, environment):
        return status
    settings = parse_store("the demo's connection", connection)
    show_store(Repository(open_store(settings.uri), settings.local_keys(), store_id=settings.store_id))
    folder = os.path.relpath(home)
    program = os.path.relpath(Path(sys.executable).parent / "airflow-elementary")
    print(
        f"\nThe sample's data ends on {LAST_DAY:%-d %b %Y}; dbt has been silent since.\n"
        f"One DAG run of {_DAG_ID} took {time.monotonic() - started:.0f} s. Its files:\n"
        f"  {folder}/store         encrypted Parquet, manifests, results\n"
        f"  {folder}/keys.json     the master keys and the signing key; in production use a secrets backend\n"
        f"  {folder}/env.sh        the connections elementary_default and elementary_store_default\n"
        f"  {folder}/run.log       the tasks' logs\n"
        f"Look at them:\n"
        f"  . {folder}/env.sh\n"
        f"  {program} table dbt_invocations --limit 3 --store-conn-id elementary_store_default\n"
        f"Run the demo again to add a snapshot; remove {folder} to start over."
    )
    return 0


def _create_store(home: Path) -> dict[str, str]:
    """Return the extra of the store's connection; the first run makes the keys and creates the store."""
    connection = {"uri": (home / "store").as_uri(), "keys_file": str(home / "keys.json")}
    pin = home / "store_id"
    if not pin.exists():
        if not (home / "keys.json").exists():
            write_private_file(home / "keys.json", new_local_keys())
        settings = parse_store("the demo's connection", connection)
        trust = create_store(open_store(settings.uri), settings.local_keys(), settings.local_signer())
        pin.write_text(trust.store_id)
    return {**connection, "store_id": pin.read_text()}


def _environment(home: Path, store: dict[str, str]) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW_CONN_ELEMENTARY_DEFAULT": json.dumps({"conn_type": "duckdb", "host": str(home / "sample.duckdb")}),
        "AIRFLOW_CONN_ELEMENTARY_STORE_DEFAULT": json.dumps({"conn_type": "elementary_store", "extra": store}),
    }


def _run_dag(home: Path, environment: dict[str, str]) -> int:
    """Run the DAG by ``airflow dags test`` with its log in a file; print the end of the file if it fails."""
    conf = {"days": _DAYS}
    airflow = [sys.executable, "-m", "airflow"]
    log = home / "run.log"
    steps = {
        "Preparing Airflow's database": [*airflow, "db", "migrate"],
        f"Running the DAG {_DAG_ID}": [*airflow, "dags", "test", _DAG_ID, "--conf", json.dumps(conf)],
    }
    if (home / "airflow" / "airflow.db").exists():
        del steps["Preparing Airflow's database"]
    with log.open("w") as output:
        for title, command in steps.items():
            print(f"{title} …", flush=True)
            finished = subprocess.run(  # noqa: S603 - our own interpreter with fixed words
                command,
                env={**os.environ, **environment},
                # Not the checkout: Airflow would load the plugin's entry point there a second time.
                cwd=home,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if finished.returncode:
                break
    text = log.read_text()
    if finished.returncode or "state=failed" in text:
        print("\n".join(text.splitlines()[-_LINES_ON_FAILURE:]), file=sys.stderr)
        print(f"The DAG run failed. The complete log is in {log}.", file=sys.stderr)
        return NOT_DONE
    return 0

"""Runs every row of the matrix and prints the table: ``python -m tests.matrix [word …]`` runs rows with these words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.matrix.rows import CONSTRAINTS, LOWEST_DATE, ROWS, Row

ROOT = Path(__file__).parents[2]
IMPORTS = Path(__file__).with_name("imports.py")
#: The columns of the table after the first three.
STEPS = ("install", "import", "demo", "unit")
_LINES_ON_FAILURE = 30
_SUMMARY = re.compile(r"\d+ (passed|failed|errors?)\b")


class StepFailed(Exception):
    """A step of a row ended with another status than 0."""


def main(words: list[str]) -> int:
    """Run the rows; return 1 if one of them failed."""
    table, failed = [], False
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        build = Path(folder)
        _run([_uv(), "build", "--quiet", "--wheel", "--out-dir", str(build), str(ROOT)], build / "build.log")
        [wheel] = build.glob("*.whl")
        for number, row in enumerate(ROWS):
            place = build / str(number)
            place.mkdir()
            title = (row.airflow or "newest", row.python, row.constraints or row.name)
            if all(word in " ".join(title) for word in words):
                print(f"matrix: Airflow {title[0]}, Python {title[1]}, {title[2]}", flush=True)
                outcome = run_row(row, wheel, place)
                failed |= "FAILED" in outcome.values()
                table.append((*title, outcome))
                shutil.rmtree(place)
    print(_rendered(table), flush=True)
    return int(failed)


def run_row(row: Row, wheel: Path, place: Path) -> dict[str, str]:
    """Return the outcome of each step by its name; ``install`` holds the reason where a row is skipped."""
    constraints = CONSTRAINTS / row.constraints
    interpreter = _interpreter(row.python)
    if interpreter is None:
        return {"install": f"skipped: no Python {row.python} here"}
    if row.constraints and not constraints.is_file():
        return {"install": "skipped: the constraint file is not here"}
    python = place / "venv" / "bin" / "python"
    _run([_uv(), "venv", "--quiet", "--python", interpreter, str(place / "venv")], place / "venv.log")
    environment = {"AIRFLOW_HOME": str(place / "airflow"), "PYTHONWARNINGS": "ignore"}
    steps = {
        "install": _install(row, wheel, python),
        "import": [str(python), str(IMPORTS)],
        "demo": [str(python.with_name("airflow-elementary")), "demo", "--home", str(place / "demo")],
        "unit": [str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", str(ROOT / "tests" / "unit")],
    }
    outcome: dict[str, str] = {}
    for name, command in steps.items():
        if name == "unit" and not row.unit:
            continue
        started = time.monotonic()
        log = place / f"{name}.log"
        try:
            _run(command, log, environment, folder=ROOT if name in ("install", "unit") else place)
        except StepFailed:
            if name == "install" and row.stopped_by and row.stopped_by in _plain(log):
                return {"install": f"unsupported: {row.stopped_by}"}
            _show(log)
            return {**outcome, name: "FAILED"}
        outcome[name] = f"{time.monotonic() - started:.0f} s"
        if name == "install" and row.stopped_by:
            print(f"matrix: {row.stopped_by} does not stop this row any more; correct tests/matrix/rows.py")
            return {**outcome, name: "FAILED"}
    return outcome


def _install(row: Row, wheel: Path, python: Path) -> list[str]:
    extras = ["mail", "openlineage", "postgres", *(["unit"] if row.unit else [])]
    command = [_uv(), "pip", "install", "--quiet", "--python", str(python)]
    command.append(f"airflow-provider-elementary[{','.join(extras)}] @ {wheel.as_uri()}")
    command += row.also
    if row.airflow:
        command.append(f"apache-airflow=={row.airflow}")
    if row.constraints:
        command += ["--constraint", str(CONSTRAINTS / row.constraints)]
    if row.lowest:
        # To uv, only what is asked for by name is direct: what a wheel requires is not.
        command += ["--resolution", "lowest-direct", "--exclude-newer", LOWEST_DATE, "--requirements", "setup.cfg"]
        command += [option for extra in extras for option in ("--extra", extra)]
    return command


def _run(command: list[str], log: Path, environment: dict[str, str] | None = None, folder: Path = ROOT) -> None:
    with log.open("w") as output:
        finished = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if finished.returncode:
        raise StepFailed(f"{command[0]} ended with status {finished.returncode}: {log.read_text()[-2000:]}")


def _uv() -> str:
    """Return uv of this environment, else the one on the path."""
    ours = Path(sys.executable).with_name("uv")
    return str(ours) if ours.is_file() else "uv"


def _interpreter(version: str) -> str | None:
    """Return the path of a Python of this version."""
    # The shims of pyenv stop uv's search: they fail for every version but the chosen one.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin"))]
    others = [path for path in os.environ.get("PATH", "").split(os.pathsep) if path != str(pyenv / "shims")]
    found = subprocess.run(
        [_uv(), "python", "find", "--system", "--no-python-downloads", version],
        env={**os.environ, "PATH": os.pathsep.join(folders + others)},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def _plain(log: Path) -> str:
    """Return a log in one line: uv breaks its explanation into lines."""
    return " ".join(log.read_text().split())


def _show(log: Path) -> None:
    """Print the end of a log, without the summary of pytest: that of the main test run is the only one."""
    lines = [line for line in log.read_text().splitlines() if not _SUMMARY.search(line)]
    for line in lines[-_LINES_ON_FAILURE:]:
        print(f"  | {line}")


def _rendered(table: list[tuple[str, str, str, dict[str, str]]]) -> str:
    lines = [("Airflow", "Python", "constraints", *STEPS)]
    for airflow, python, constraints, outcome in table:
        lines.append((airflow, python, constraints, *(outcome.get(step, "-") for step in STEPS)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

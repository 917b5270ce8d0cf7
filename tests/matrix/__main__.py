"""Runs every row of the matrix and prints the table.

``python -m tests.matrix [word …]`` runs the rows with all these words, within ``ELEMENTARY_MATRIX_MINUTES`` (40). The
logs are in ``build/matrix``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.matrix.minimums import not_at_minimum, requirements
from tests.matrix.rows import CONSTRAINTS, LOWEST_DATE, ROWS, SAME_IN_EVERY_ROW, Row

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "build" / "matrix"
IMPORTS = Path(__file__).with_name("imports.py")
#: The columns of the table after those of :attr:`Row.title`.
STEPS = ("install", "import", "demo", "unit")
#: The seconds for all rows at most.
DEADLINE = 40 * 60
#: Rows that run beside each other on two cores: each waits for the network while it installs.
_AT_ONCE = 3
_LINES_ON_FAILURE = 30
#: The lines of pytest's summary: that of the main test run is the only one that CI prints.
_SUMMARY = re.compile(r"^(FAILED|ERROR) |^=+ .* =+$|^\d+ (passed|failed|errors?|skipped)\b")
#: What uv and pip print where the package registry or the network fails.
_REGISTRY_FAILS = re.compile(
    r"error sending request|failed to fetch|failed to download|could not fetch url|max retries exceeded|dns error"
    r"|name resolution|connection (refused|reset|aborted)|timed out|HTTP status (client error \(429|server error)",
    re.IGNORECASE,
)


@dataclass
class Outcome:
    """What one row gave: a cell of the table for each step, and the result of all."""

    result: str = "ok"
    #: The version of Airflow that was installed.
    airflow: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    seconds: float = 0

    @property
    def failed(self) -> bool:
        """Whether the row counts for the exit status."""
        return self.result.startswith("not ok")


class StepFailed(Exception):
    """A step of a row ended with another status than 0, or was ended at its deadline."""


def main(words: list[str]) -> int:
    """Run the rows; return 1 if one of them failed."""
    rows = [row for row in ROWS if all(word in " ".join(row.title) for word in words)]
    minutes = float(os.environ.get("ELEMENTARY_MATRIX_MINUTES", DEADLINE / 60))
    ends = time.monotonic() + min(DEADLINE, minutes * 60)
    shutil.rmtree(LOGS, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        built = _build(Path(folder), ends)

        def run(row: Row) -> Outcome:
            outcome = Outcome(built) if isinstance(built, str) else run_row(row, built, Path(folder), ends)
            what = f"Airflow {row.title[0]}, Python {row.title[1]}, constraints {row.title[2]}"
            print(f"matrix: {what}: {outcome.result} ({outcome.seconds:.0f} s)", flush=True)
            return outcome

        # The short rows first: what is cut where time is short are unit tests, which other rows run too.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = {row: pool.submit(run, row) for row in sorted(rows, key=lambda row: row.unit)}
        outcomes = [running[row].result() for row in rows]
    print(_rendered(rows, outcomes), flush=True)
    return int(not rows or any(outcome.failed for outcome in outcomes))


def _build(folder: Path, ends: float) -> Path | str:
    """Return the wheel, or the result of every row where it cannot be built."""
    log = _log("build")
    try:
        # By way of the source distribution, as a wheel built in the checkout holds what an earlier build left there.
        _run([_uv(), "build", "--quiet", "--out-dir", str(folder), str(ROOT)], log, ends)
    except StepFailed as failure:
        return _install_result(log, str(failure))
    return next(folder.glob("*.whl"))


def run_row(row: Row, wheel: Path, folder: Path, ends: float) -> Outcome:
    """Run the steps of a row, until one fails."""
    interpreter = _interpreter(row.python)
    if interpreter is None:
        return Outcome(f"not run: no Python {row.python} here")
    started = time.monotonic()
    if started + row.deadline / 5 > ends:
        return Outcome("not run: the other rows took the time of all")
    own = started + row.deadline
    ends = min(ends, own)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="row-", dir=folder) as place:
        for name, commands in _steps(row, wheel, interpreter, Path(place)).items():
            begun = time.monotonic()
            log = _log(f"{'-'.join(row.title)}-{name}")
            try:
                for command in commands:
                    _run(command, log, ends, Path(place), ROOT if name in ("install", "unit") else Path(place))
                if name == "install":
                    outcome.airflow = _check_installed(row, Path(place), log, ends)
            except StepFailed as failure:
                outcome.result = _install_result(log, str(failure), row) if name == "install" else f"not ok: {failure}"
                if ends < own and time.monotonic() >= ends:
                    outcome.result = f"not run to its end: the time of all rows was over in the step {name}"
                outcome.cells[name] = "no"
                break
            outcome.cells[name] = f"{time.monotonic() - begun:.0f} s"
    if outcome.failed:
        _show(log)
    outcome.seconds = time.monotonic() - started
    return outcome


def _steps(row: Row, wheel: Path, interpreter: str, place: Path) -> dict[str, list[list[str]]]:
    """Return the commands of each step of a row."""
    python = _python(place)
    # With the newest pip: the one of an older Python needs several times as long.
    make = [_uv(), "venv", "--quiet", "--python", interpreter, *(["--seed"] if row.pip else [])]
    steps = {
        "install": [[*make, str(place / "venv")], _install(row, wheel, python)],
        "import": [[str(python), str(IMPORTS)]],
        "demo": [[str(python.with_name("airflow-elementary")), "demo", "--home", str(place / "demo")]],
    }
    if row.unit:
        tests = ROOT / "tests" / "unit"
        ignored = [f"--ignore={tests / name}" for name in SAME_IN_EVERY_ROW]
        with_unit = [other for other in ROWS if other.unit]
        share = ["-p", "tests.matrix.share", f"--share={with_unit.index(row) + 1}/{len(with_unit)}"]
        steps["unit"] = [[str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *share, *ignored, str(tests)]]
    return steps


def _install(row: Row, wheel: Path, python: Path) -> list[str]:
    extras = f"[{','.join(row.installed_extras)}]" if row.installed_extras else ""
    command = [str(python), "-m", "pip", "install"] if row.pip else [_uv(), "pip", "install", "--python", str(python)]
    command += ["--quiet", f"airflow-provider-elementary{extras} @ {wheel.as_uri()}", *row.also]
    if row.airflow:
        command.append(f"apache-airflow=={row.airflow}")
    if row.constraints:
        command += ["--constraint", str(CONSTRAINTS / row.constraints)]
    if row.lowest:
        # To uv, only what is asked for by name is direct: what a wheel requires is not.
        command += ["--resolution", "lowest-direct", "--exclude-newer", LOWEST_DATE, "--requirements", "setup.cfg"]
        command += [option for extra in row.installed_extras for option in ("--extra", extra)]
    return command


def _check_installed(row: Row, place: Path, log: Path, ends: float) -> str:
    """Return the version of Airflow; raise :class:`StepFailed` where what is installed is not what the row says."""
    if row.stopped_by:
        raise StepFailed(f"{row.stopped_by} does not stop this row any more; correct tests/matrix/rows.py")
    listed = log.with_suffix(".json")
    _run([_uv(), "pip", "list", "--quiet", "--format", "json", "--python", str(_python(place))], listed, ends)
    installed = {found["name"]: found["version"] for found in json.loads(listed.read_text())}
    wrong = not_at_minimum(requirements(ROOT / "setup.cfg", row.installed_extras), installed) if row.lowest else []
    if wrong:
        raise StepFailed("; ".join(wrong))
    return installed["apache-airflow"]


def _install_result(log: Path, failure: str, row: Row | None = None) -> str:
    """Return the result of a row that could not be installed."""
    # uv breaks its explanation into lines.
    text = " ".join(log.read_text().split()) if log.exists() else ""
    if row and row.stopped_by and "No solution found" in text and row.stopped_by in text:
        return f"unsupported: {row.stopped_by}"
    if found := _REGISTRY_FAILS.search(text):
        return f"not run: the package registry does not answer ({found[0]})"
    return f"not ok: {failure}"


def _run(command: list[str], log: Path, ends: float, place: Path | None = None, folder: Path = ROOT) -> None:
    """Run a command, with its output in a log; end it and all that it started at its deadline."""
    environment = {"PYTHONWARNINGS": "ignore", **({"AIRFLOW_HOME": str(place / "airflow")} if place else {})}
    # Where bytecode is not kept, every process compiles Airflow again.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("a") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if log.suffix == ".log" else subprocess.DEVNULL,
            start_new_session=True,
        )
        program = Path(command[0]).name
        try:
            status = process.wait(timeout=max(1, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise StepFailed(f"{program} was ended at the deadline of the row") from None
        finally:
            _end(process)
    if status:
        raise StepFailed(f"{program} ended with status {status}; its log is {log.relative_to(ROOT)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the session of a process: the process itself, and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _log(name: str) -> Path:
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / f"{re.sub('[^a-z0-9.]+', '-', name.lower())}.log"


def _python(place: Path) -> Path:
    return place / "venv" / "bin" / "python"


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


def _show(log: Path) -> None:
    """Print the end of a log, without the summary of pytest."""
    lines = [line for line in log.read_text().splitlines() if not _SUMMARY.search(line)] if log.exists() else []
    for line in lines[-_LINES_ON_FAILURE:]:
        print(f"  | {line}")


def _rendered(rows: list[Row], outcomes: list[Outcome]) -> str:
    lines = [("Airflow", "Python", "constraints", *STEPS, "seconds", "result")]
    for row, outcome in zip(rows, outcomes, strict=True):
        cells = (outcome.cells.get(step, "-") for step in STEPS)
        lines.append(
            (outcome.airflow or row.title[0], *row.title[1:], *cells, f"{outcome.seconds:.0f}", outcome.result)
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Measuring one piece of work in a process of its own: wall seconds, CPU seconds, peak resident memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """What one piece of work took.

    :param wall: seconds on the clock, imports of the process left out.
    :param cpu: seconds of processor time, user and system.
    :param peak_mb: the greatest resident memory of the process, in MB, imports included.
    :param base_mb: resident memory before the work began, in MB.
    :param facts: what the work itself says, like rows and bytes.
    """

    wall: float
    cpu: float
    peak_mb: float
    base_mb: float
    facts: Mapping[str, Any]


def in_own_process(
    module: str, arguments: list[str], *, python: str = sys.executable, bytecode: Path | None = None
) -> Measurement:
    """Run ``python -m module arguments`` and read the measurement that it prints.

    :param python: the interpreter, where the work needs packages of another environment.
    :param bytecode: where modules are kept compiled, as an installation keeps them; None: as this process has it.
    """
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode)} if bytecode else {}
    finished = subprocess.run(
        [python, "-m", module, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=7_200,
        env={**os.environ, **kept},
    )
    if finished.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{finished.stderr[-4000:]}")
    # Some drivers log to standard output when they are closed.
    line = next(line for line in reversed(finished.stdout.splitlines()) if line.startswith("{"))
    return Measurement(**json.loads(line))


def measured(work: Callable[[], Mapping[str, Any]]) -> None:
    """Do the work and print its measurement, for :func:`in_own_process`."""
    base = peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    facts = work()
    found = Measurement(time.perf_counter() - wall, time.process_time() - cpu, peak_mb(), base, facts)
    print(json.dumps(asdict(found)))


def peak_mb() -> float:
    """Return the high-water mark of this program; ru_maxrss would begin with that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def reset_peak() -> None:
    """Let the high-water mark of this program begin again at what it has now."""
    Path("/proc/self/clear_refs").write_text("5")


def resident_mb() -> float:
    """Return the resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024

"""Run a benchmark by its name: ``python -m tests.benchmarks snapshot``; without a name, list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks


def main() -> int:
    """Run the benchmark that the first word names, with the words that follow."""
    names = [
        module.name for module in pkgutil.iter_modules(tests.benchmarks.__path__) if not module.name.startswith("_")
    ]
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"Usage: python -m tests.benchmarks NAME [ARGUMENTS]; benchmarks: {', '.join(names)}", file=sys.stderr)
        return 2
    status: int | None = importlib.import_module(f"tests.benchmarks.{sys.argv[1]}").main(sys.argv[2:])
    return status or 0


sys.exit(main())

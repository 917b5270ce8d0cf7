"""The detection benchmark: how many labelled incidents a method finds, and how many false alarms it raises.

``python -m tests.benchmarks detection [--method robust elementary] [--by family kind] [--pictures FOLDER]`` prints the
tables for the public halves of the corpora beside the checkout, and says so where there are none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

METHODS = ("robust", "elementary")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks detection", description=__doc__)
    parser.add_argument("--method", nargs="*", choices=METHODS, default=["robust"])
    parser.add_argument("--by", nargs="*", choices=("family", "kind"), default=["family", "kind"])
    parser.add_argument("--pictures", metavar="FOLDER", help="also draw some series with their verdicts, as SVG")
    given = parser.parse_args(arguments)
    from tests.benchmarks.detection.corpora import corpora, missing

    if reason := missing():
        print(f"Skipped: {reason}", file=sys.stderr)
        return 0
    from tests.benchmarks.detection.accuracy import print_accuracy
    from tests.benchmarks.detection.pictures import draw

    for corpus in corpora():
        for method in given.method:
            print_accuracy(corpus, method, given.by)
        if given.pictures:
            draw(corpus, given.pictures)
    return 0

"""The detection benchmark: how many labelled incidents a method finds, and how many false alarms it raises.

``python -m tests.benchmarks detection [--method robust elementary] [--corpus nab] [--by family kind]`` prints one line
per corpus and method, and tables by family and kind; it says so where no corpora lie beside the checkout.
``--pictures FOLDER`` draws some series, ``--parameter doubt=0.01`` tries another value of a robust parameter,
``--dimensions`` takes ids such as ``flights/carrier/AA/row_count`` as values of a table's dimension,
``--row-counts`` takes ``flights/carrier/AA/null_dep`` as a share of the rows of ``flights/carrier/AA/row_count``,
``--calendar`` gives the robust method the holidays of the corpus.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.benchmarks.detection.corpora import NAMES

METHODS = ("robust", "elementary")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks detection", description=__doc__)
    parser.add_argument("--method", nargs="*", choices=METHODS, default=["robust"])
    parser.add_argument("--corpus", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--by", nargs="*", choices=("family", "kind"), default=[])
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=NUMBER", help="of the robust method")
    parser.add_argument("--pictures", metavar="FOLDER", help="also draw some series with their verdicts, as SVG")
    parser.add_argument("--dimensions", action="store_true", help="ids of four parts are values of dimensions")
    parser.add_argument("--row-counts", action="store_true", help="shares of nulls have the row count of their table")
    parser.add_argument("--calendar", action="store_true", help="give the robust method the corpus' holidays")
    given = parser.parse_args(arguments)
    from tests.benchmarks.detection.corpora import corpora, missing

    if reason := missing():
        print(f"Skipped: {reason}", file=sys.stderr)
        return 0
    from tests.benchmarks.detection.accuracy import print_accuracy, print_heading
    from tests.benchmarks.detection.pictures import draw

    pairs = (text.split("=") for text in given.parameter)
    parameters = {name: float(number) for name, number in pairs}
    print_heading()
    for corpus in corpora(given.corpus, has_dimensions=given.dimensions, has_row_counts=given.row_counts):
        for method in given.method:
            calendar = {"holidays": corpus.holidays} if given.calendar else {}
            print_accuracy(corpus, method, given.by, {**parameters, **calendar})
        if given.pictures:
            draw(corpus, given.pictures)
    return 0

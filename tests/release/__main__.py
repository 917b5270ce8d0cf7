"""Checks the distributions in a folder: ``python -m tests.release [--ready] dist``.

With ``--ready``, what a maintainer has to decide before a release is an error too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.release.distributions import CheckFailed, check, install, write_bill, write_hashes
from tests.release.readiness import of_this_checkout


def main() -> int:
    """Return 1 where a check fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.release")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ready", action="store_true")
    arguments = parser.parse_args()
    if arguments.ready:
        print(*(found := of_this_checkout()) or ["ready"], sep="\n")
        return int(bool(found))
    try:
        check(arguments.folder)
        [wheel] = arguments.folder.glob("*.whl")
        with tempfile.TemporaryDirectory(prefix="release-") as place:
            write_bill(arguments.folder, install(wheel, Path(place) / "environment"))
        write_hashes(arguments.folder)
    except CheckFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(*sorted(path.name for path in arguments.folder.iterdir()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Lists what only a maintainer can decide before a release."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[2]
#: What SECURITY.md holds until a maintainer writes an address.
PLACEHOLDER = "REPORTING-ADDRESS"
#: The sections that Keep a Changelog has.
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_DATED = re.compile(r"^## \[?(?P<version>\d[^\s\]]*)\]? - \d{4}-\d{2}-\d{2}$", re.MULTILINE)


def open_questions(version: str, security: str, changelog: str) -> list[str]:
    """Return what stops a release.

    :param version: of the package.
    :param security: the text of SECURITY.md.
    :param changelog: the text of CHANGELOG.md.
    """
    found = []
    if Version(version).is_devrelease:
        found.append(f"The version is {version}. Remove .dev in airflow_provider_elementary/__init__.py.")
    if PLACEHOLDER in security:
        found.append(f"SECURITY.md has no reporting address. Replace {PLACEHOLDER}.")
    released = Version(version).base_version
    if released not in (dated["version"] for dated in _DATED.finditer(changelog)):
        found.append(f"CHANGELOG.md has no section of {released} with a date. Rename Unreleased.")
    return found


def unknown_sections(changelog: str) -> list[str]:
    """Return the headings of sections that Keep a Changelog does not have."""
    return [name for name in re.findall(r"^### (.+)$", changelog, re.MULTILINE) if name not in SECTIONS]


def of_this_checkout() -> list[str]:
    """Return what stops a release of the files that are here."""
    from airflow_provider_elementary import __version__

    return open_questions(__version__, *((ROOT / name).read_text() for name in ("SECURITY.md", "CHANGELOG.md")))

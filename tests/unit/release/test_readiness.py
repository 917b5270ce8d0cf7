"""Tests what reminds a maintainer before a release."""

from __future__ import annotations

from packaging.version import Version

from airflow_provider_elementary import __version__
from tests.release.readiness import PLACEHOLDER, ROOT, of_this_checkout, open_questions, unknown_sections

SECURITY = "Write to security@example.com."
CHANGELOG = "# Changelog\n\n## 1.2.0 - 2027-01-31\n\n### Added\n"


def test_a_release_names_an_address_and_has_a_dated_section() -> None:
    assert open_questions("1.2.0", SECURITY, CHANGELOG) == []


def test_what_is_open_is_named_one_by_one() -> None:
    found = open_questions("1.3.0.dev0", f"Write to {PLACEHOLDER}.", CHANGELOG)

    assert [sentence.split()[0] for sentence in found] == ["The", "SECURITY.md", "CHANGELOG.md"]


def test_a_section_without_a_date_is_no_section_of_a_release() -> None:
    undated = CHANGELOG.replace(" - 2027-01-31", "")

    assert len(open_questions("1.2.0", SECURITY, undated)) == 1
    assert open_questions("1.2.0", SECURITY, CHANGELOG.replace("1.2.0", "[1.2.0]")) == []


def test_a_checkout_that_is_no_development_version_can_be_released() -> None:
    """Reminds: it fails in the commit that removes .dev from the version, until an address and a date are there."""
    assert Version(__version__).is_devrelease or of_this_checkout() == []


def test_the_changelog_has_the_sections_of_keep_a_changelog() -> None:
    assert unknown_sections((ROOT / "CHANGELOG.md").read_text()) == []
    assert unknown_sections("### Added\n### Improved\n#### Page\n") == ["Improved"]

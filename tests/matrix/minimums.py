"""Compares installed versions with the minimums of setup.cfg."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def requirements(setup_cfg: Path, extras: Iterable[str]) -> dict[str, Requirement]:
    """Return the requirements of setup.cfg and of these extras by name."""
    config = ConfigParser()
    config.read(setup_cfg)
    texts = [config["options"]["install_requires"]]
    texts += [config["options.extras_require"][extra] for extra in extras]
    found = [Requirement(line) for text in texts for line in text.splitlines() if line.strip()]
    return {requirement.name: requirement for requirement in found}


def minimum(requirement: Requirement) -> Version:
    """Return the lowest version that a requirement allows."""
    return Version(next(bound.version for bound in requirement.specifier if bound.operator == ">="))


def not_at_minimum(requirements: Mapping[str, Requirement], installed: Mapping[str, str]) -> list[str]:
    """Return a sentence for each requirement whose installed version is not its minimum."""
    return [
        f"{name} {installed.get(name)} is installed; setup.cfg declares {minimum(requirement)} as the minimum"
        for name, requirement in requirements.items()
        if Version(installed.get(name, "0")) != minimum(requirement)
    ]

"""Checks distributions, writes their hashes, and lists what the wheel installs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HASHES = "SHA256SUMS"
BILL = "sbom.cdx.json"
#: The part of the full score that pyroma has to give: two points are for the mail address of an author.
LOWEST_RATING = "8"


class CheckFailed(Exception):
    """A checker found something."""


def check(folder: Path) -> None:
    """Run twine, check-wheel-contents and pyroma on a wheel and a source distribution.

    :raises CheckFailed: with what one of them printed.
    """
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    _run("twine", "check", "--strict", str(wheel), str(source))
    _run("check_wheel_contents", str(wheel))
    _run("pyroma", "--file", "--min", LOWEST_RATING, str(source))


def write_hashes(folder: Path) -> Path:
    """Write the SHA-256 of every other file, as ``sha256sum --check`` reads them."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != HASHES)
    written = folder / HASHES
    written.write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in files))
    return written


def write_bill(folder: Path, interpreter: Path) -> Path:
    """Write the bill of materials of an environment that holds the wheel, as CycloneDX 1.6.

    :param folder: that of the distributions.
    :param interpreter: the environment's Python.
    """
    written = folder / BILL
    facts = ("--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON")
    _run("cyclonedx_py", "environment", *facts, "--output-file", str(written), str(interpreter))
    bill = json.loads(written.read_text())
    _name_what_it_is_of(bill, next(folder.glob("*.whl")))
    written.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    _validate(written.read_text())
    return written


def install(wheel: Path, environment: Path, *options: str) -> Path:
    """Install a wheel into a new environment, with options of uv, and return its interpreter."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    python = environment / "bin" / "python"
    for command in (["venv", "--python", sys.executable, str(environment)], ["pip", "install", "--python"]):
        arguments = [*command, str(python), *options, str(wheel)] if command[0] == "pip" else command
        _finish(subprocess.run([uv, *arguments, "--quiet"], capture_output=True, text=True, check=False), "uv")
    return python


def _name_what_it_is_of(bill: dict[str, Any], wheel: Path) -> None:
    """Make the provider what the bill is of, with the hash of its wheel."""
    name = "airflow-provider-elementary"
    [own] = [component for component in bill["components"] if component["name"] == name]
    bill["components"].remove(own)
    # Without the folder of the machine that built it.
    public = [found for found in own.get("externalReferences", ()) if not found["url"].startswith("file:")]
    own["externalReferences"] = public
    bill["metadata"]["component"] = {**own, "hashes": [{"alg": "SHA-256", "content": _sha256(wheel)}]}


def _validate(bill: str) -> None:
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from cyclonedx.validation import make_schemabased_validator

    if problem := make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(bill):
        raise CheckFailed(f"{BILL} is not CycloneDX 1.6: {problem}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    _finish(subprocess.run(command, capture_output=True, text=True, check=False), module)


def _finish(finished: subprocess.CompletedProcess[str], what: str) -> None:
    if finished.returncode:
        raise CheckFailed(f"{what} ended with {finished.returncode}:\n{finished.stdout}{finished.stderr}")

"""Maps the outcome of a command to its exit status."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from airflow_provider_elementary.exceptions import (
    AccessDeniedError,
    AccessUnknownError,
    AnomaliesFoundError,
    ConfigurationError,
    ConnectionNotFoundError,
    ElementaryError,
)
from airflow_provider_elementary.storage.outcomes import outcome_of

FINE = 0
#: The command ran and found a problem.
FINDING = 1
#: The arguments are invalid: nothing was done.
USAGE = 2
#: The command could not run, or cannot answer from here.
NOT_DONE = 3
#: The status that shells give a program that Ctrl-C ended.
INTERRUPTED = 130

_PACKAGE = Path(__file__).parents[1]


class UsageError(ConfigurationError):
    """An argument of the command is invalid."""


#: Groups of providers, whose distributions are named by two words.
_GROUPS = frozenset({"apache", "common", "microsoft"})
#: The first class that an error belongs to decides, where it stands for no outcome of a store; any other error of this
#: package is :data:`NOT_DONE`.
_STATUSES: Mapping[type[ElementaryError], int] = MappingProxyType(
    {
        UsageError: USAGE,
        AccessUnknownError: NOT_DONE,
        AccessDeniedError: FINDING,
        AnomaliesFoundError: FINDING,
    }
)


@contextmanager
def usage() -> Iterator[None]:
    """Raise a :class:`ConfigurationError` of the block as a :class:`UsageError`: an argument is invalid."""
    try:
        yield
    except (UsageError, ConnectionNotFoundError):
        raise
    except ConfigurationError as error:
        raise UsageError(str(error)) from None


def failure(error: Exception) -> tuple[int, str]:
    """Return the exit status of an error and the message to show; only errors of this package show their text.

    :param error: what ended the command.
    """
    if isinstance(error, ElementaryError):
        if (outcome := outcome_of(error)) is not None:
            return outcome.exit_status, str(error)
        status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), NOT_DONE)
        return status, str(error)
    if isinstance(error, ImportError):
        return NOT_DONE, f"The Python module {error.name or 'of a driver'} is not installed. {_to_install(error.name)}"
    if isinstance(error, OSError) and error.filename is not None:
        return NOT_DONE, f"{error.filename}: {error.strerror}."
    return NOT_DONE, (
        f"The command ended in an unexpected {type(error).__name__}{_where(error)}. Run it again; if it happens again, "
        "report it with the command that you ran."
    )


def _to_install(module: str | None) -> str:
    """Return what to install for a module: a provider of Airflow, or the extra that brings a driver."""
    airflow, _, provider = (module or "").partition(".providers.")
    if airflow != "airflow" or not provider:
        return "Install the extra of your warehouse, as in airflow-provider-elementary[postgres]."
    words = provider.split(".")
    return f"Install apache-airflow-providers-{'-'.join(words[: 2 if words[0] in _GROUPS else 1])}."


def _where(error: Exception) -> str:
    """Return where in this package an error was raised: its own text may quote secrets."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _PACKAGE in Path(frame.filename).parents]
    return f" in {Path(frames[-1].filename).relative_to(_PACKAGE)}, line {frames[-1].lineno}" if frames else ""


def say(message: str) -> None:
    """Print a message to standard error."""
    print(f"airflow-elementary: {message}", file=sys.stderr)

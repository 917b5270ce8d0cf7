"""Names the outcomes of checking a store, with their exit statuses."""

from __future__ import annotations

from enum import StrEnum

from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    UnprovedError,
)


class Outcome(StrEnum):
    """What a check of a store, a snapshot or a document says; the words of code, page and command line."""

    #: Proved and complete, and the chain contains the anchor.
    SOUND = "sound"
    #: Proved and complete; nothing outside the store names it.
    NOT_ANCHORED = "not anchored"
    #: The store id is not pinned, or no known key signed it.
    UNPROVED = "unproved"
    #: Missing, changed, rolled back, or not to be opened with its own key.
    DAMAGED = "damaged"
    #: A result of another snapshot than the newest.
    OUTDATED = "outdated"
    #: Older than the accepted age, or than the schedule.
    OVERDUE = "overdue"
    #: A proved prune removed it while it was read; a retry helps.
    PRUNED_MEANWHILE = "pruned meanwhile"
    #: A key or a right is missing here.
    CANNOT_TELL = "cannot tell"

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends so: 0 fine, 1 a finding, 3 no answer from here."""
        if self in (Outcome.SOUND, Outcome.NOT_ANCHORED):
            return 0
        return 3 if self in (Outcome.PRUNED_MEANWHILE, Outcome.CANNOT_TELL) else 1

    @property
    def label(self) -> str:
        """The words on the page."""
        return {Outcome.NOT_ANCHORED: "sound, not anchored", Outcome.PRUNED_MEANWHILE: "pruned"}.get(self, self.value)


# The first class that an error belongs to decides.
_OUTCOMES: tuple[tuple[type[Exception], Outcome], ...] = (
    (UnprovedError, Outcome.UNPROVED),
    (SnapshotCorruptError, Outcome.DAMAGED),
    (PrunedMeanwhileError, Outcome.PRUNED_MEANWHILE),
    (KeyUnavailableError, Outcome.CANNOT_TELL),
)


def outcome_of(error: Exception) -> Outcome | None:
    """Return the outcome that an error stands for, or None where it says nothing about the store."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), None)

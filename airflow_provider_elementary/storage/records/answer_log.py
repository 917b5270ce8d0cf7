"""Keeps the answers to incidents as signed documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.storage.documents import STRICT, Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import FEEDBACK, series_key
from airflow_provider_elementary.storage.object_store.store import StoredObject
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.answers import Answer
from airflow_provider_elementary.storage.records.series import (
    Before,
    SeriesPlace,
    extend,
    lost_since,
    newest_first,
    place_of,
    recorded_place,
    sign_place,
)
from airflow_provider_elementary.times import in_utc

log = logging.getLogger(__name__)

#: Where more are given, the oldest without an effect are dropped.
MOST_ANSWERS = 2_000
#: More than the unsigned objects that are passed over.
_MOST_NAMES = 300
#: Of one document, which the store reads up to 4 MiB.
_MOST_BYTES = 3 * 2**20


@dataclass(frozen=True)
class AnswerLog:
    """``feedback/<n>``: all answers that count, the oldest first; the newest document replaces those before it.

    :param before: how many older answers were dropped.
    :param previous: the document before it.
    """

    answers: tuple[Answer, ...]
    before: int = 0
    previous: SeriesPlace | None = None
    format_version: int = 2

    __pydantic_config__ = STRICT

    @property
    def run_key(self) -> str:
        """What it was written for: its newest answer."""
        return self.answers[-1].answer_id if self.answers else ""

    @property
    def previous_run(self) -> SeriesPlace | None:
        """The document before it: each is of an answer of its own."""
        return self.previous


ANSWER_LOG_CODEC = Codec(AnswerLog, "log of answers", "Move it out of the store: the one before it then counts.", 2)


@dataclass(frozen=True)
class KnownAnswers:
    """The answers of a store, the oldest first, and the place of the document that holds them."""

    answers: tuple[Answer, ...] = ()
    place: SeriesPlace | None = None


def read_answers(opened: OpenStore) -> tuple[Answer, ...]:
    """Return the answers of a store, the oldest first.

    :raises SnapshotCorruptError: the newest document is signed, and not valid.
    """
    return known_answers(opened).answers


def known_answers(opened: OpenStore) -> KnownAnswers:
    """Return the answers of a store and their place; see :func:`read_answers`."""
    newest = next(newest_first(opened.documents, FEEDBACK, ANSWER_LOG_CODEC, Role.RESULTS), None)
    return KnownAnswers() if newest is None else KnownAnswers(newest.document.answers, place_of(newest, FEEDBACK))


def anchor_answers(opened: OpenStore, place: SeriesPlace | None) -> str | None:
    """Return a signed statement that the store has answers of a place, to be kept outside it."""
    if place is None:
        return None
    return sign_place(opened.documents, series_key(FEEDBACK, place.number), place.sha256, Role.RESULTS)


def recorded_answers(opened: OpenStore, anchor: Any) -> SeriesPlace | None:
    """Return the place of the answers that was recorded outside the store.

    :param anchor: what :func:`anchor_answers` returned in an earlier run, or whatever is found in its place.
    """
    return recorded_place(opened.documents, FEEDBACK, anchor, Role.RESULTS)


def lost_answers(opened: OpenStore, places: Sequence[SeriesPlace | None]) -> str | None:
    """Return what was removed of the answers since these places were recorded, in a sentence."""
    newest = max((place for place in places if place is not None), key=lambda place: place.number, default=None)
    return lost_since(opened.documents, FEEDBACK, ANSWER_LOG_CODEC, Role.RESULTS, newest)


def superseded_answers(opened: OpenStore, before: datetime) -> list[str]:
    """Return the documents of answers that nobody needs: all but the two newest, of which one names the other.

    :param before: younger ones stay; has a zone.
    """
    older = islice(newest_first(opened.documents, FEEDBACK, ANSWER_LOG_CODEC, Role.RESULTS), 2, None)
    return [
        found.name
        for found in older
        if all(in_utc(datetime.fromisoformat(each.answered_at)) < before for each in found.document.answers[-1:])
    ]


def answer_names(opened: OpenStore) -> tuple[StoredObject, ...]:
    """Return names that change when an answer is given; others can put more objects there than are named."""
    return tuple(islice(opened.store.list(FEEDBACK), _MOST_NAMES))


def append_answer(opened: OpenStore, answer: Answer, *, known: int = 0) -> tuple[Answer, SeriesPlace]:
    """Sign and store an answer; return it with the place of the document that holds it.

    Of one ``answer_id``, the first answer counts and is returned.

    :param known: a number that the documents had; those up to it are not given again.
    :raises ConfigurationError: it does not fit beside those that have an effect, or nothing here may sign.
    :raises SnapshotConflictError: other writers were faster, several times; a retry may help.
    """

    def extended(place: Before, newest: AnswerLog | None) -> AnswerLog:
        before = newest or AnswerLog(())
        if newest is not None and any(each.answer_id == answer.answer_id for each in before.answers):
            return newest
        return replace(_bounded((*before.answers, answer), before.before), previous=place.previous)

    written = extend(
        opened.documents,
        FEEDBACK,
        ANSWER_LOG_CODEC,
        extended,
        Role.RESULTS,
        run_key=answer.answer_id,
        known=known,
    )
    kept = next(each for each in written.document.answers if each.answer_id == answer.answer_id)
    return kept, place_of(written, FEEDBACK)


def _bounded(answers: tuple[Answer, ...], before: int) -> AnswerLog:
    """Return the document of the answers; where they do not fit, without the oldest that have no effect any more."""
    kept = list(answers)
    while len(kept) > 1 and not _fits(kept):
        droppable = [place for place, each in enumerate(kept[:-1]) if _is_over(each, kept[-1].answered_at)]
        if not droppable:
            raise ConfigurationError(
                f"The answer was not stored: {len(kept) - 1:,} answers that have an effect are kept, and no more fit. "
                "Resolve or merge incidents in place of answering each, or mute with an end."
            )
        dropped = set(droppable[: max(len(kept) // 10, 1, len(kept) - MOST_ANSWERS)])
        kept = [each for place, each in enumerate(kept) if place not in dropped]
    if count := len(answers) - len(kept):
        log.warning("dropped the %s oldest answers without an effect: more do not fit one document", f"{count:,}")
    return AnswerLog(tuple(kept), before + count)


def _fits(answers: Sequence[Answer]) -> bool:
    return len(answers) <= MOST_ANSWERS and len(ANSWER_LOG_CODEC.write(AnswerLog(tuple(answers)))) <= _MOST_BYTES


def _is_over(answer: Answer, now: str) -> bool:
    """Return whether an answer changes nothing but what is shown, or did so until a time that is over."""
    if answer.answer == "mute":
        return (answer.until or now) < now
    return answer.answer in ("note", "acknowledge", "assign")

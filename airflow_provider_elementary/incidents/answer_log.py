"""Keeps the answers to incidents as signed documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.answers import Answer
from airflow_provider_elementary.storage.documents import STRICT, Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import FEEDBACK
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.series import extend, newest_first

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
    """

    answers: tuple[Answer, ...]
    before: int = 0
    format_version: int = 2

    __pydantic_config__ = STRICT


ANSWER_LOG_CODEC = Codec(AnswerLog, "log of answers", "Move it out of the store: the one before it then counts.", 2)


def read_answers(opened: OpenStore) -> tuple[Answer, ...]:
    """Return the answers of a store, the oldest first.

    :raises SnapshotCorruptError: the newest document is signed, and not valid.
    """
    newest = next(newest_first(opened.documents, FEEDBACK, ANSWER_LOG_CODEC, Role.RESULTS), None)
    return newest.document.answers if newest is not None else ()


def answer_names(opened: OpenStore) -> tuple[str, ...]:
    """Return names that change when an answer is given; others can put more objects there than are named."""
    return tuple(found.key for found in islice(opened.store.list(FEEDBACK), _MOST_NAMES))


def append_answer(opened: OpenStore, answer: Answer) -> Answer:
    """Sign and store an answer; of one ``answer_id``, the first one counts and is returned.

    :raises ConfigurationError: it does not fit beside those that have an effect, or nothing here may sign.
    :raises SnapshotConflictError: other writers were faster, several times; a retry may help.
    """

    def extended(_: str, newest: AnswerLog | None) -> AnswerLog:
        known = newest or AnswerLog(())
        if newest is not None and any(each.answer_id == answer.answer_id for each in known.answers):
            return newest
        return _bounded((*known.answers, answer), known.before)

    written = extend(opened.documents, FEEDBACK, ANSWER_LOG_CODEC, extended, Role.RESULTS)
    return next(each for each in written.document.answers if each.answer_id == answer.answer_id)


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

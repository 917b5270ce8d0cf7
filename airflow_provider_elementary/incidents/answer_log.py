"""Keeps the answers to incidents as signed documents."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from airflow_provider_elementary.incidents.answers import Answer
from airflow_provider_elementary.storage.documents import STRICT, Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import FEEDBACK
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.series import extend, newest_first

log = logging.getLogger(__name__)

#: Older answers than the newest of these are dropped.
MOST_ANSWERS = 2_000
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


def append_answer(opened: OpenStore, answer: Answer) -> Answer:
    """Sign and store an answer; of one ``answer_id``, the first one counts and is returned.

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
    """Return the document of the newest answers that fit."""
    kept = answers[-MOST_ANSWERS:]
    while len(kept) > 1 and len(ANSWER_LOG_CODEC.write(AnswerLog(kept))) > _MOST_BYTES:
        kept = kept[max(len(kept) // 10, 1) :]
    if dropped := len(answers) - len(kept):
        log.warning("dropped the %s oldest answers: more do not fit one document", f"{dropped:,}")
    return AnswerLog(kept, before + dropped)

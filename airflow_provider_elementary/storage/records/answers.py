"""Defines what people can answer to an incident."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.storage.documents import STRICT, NaiveTime
from airflow_provider_elementary.times import exact_without_zone

AnswerKind = Literal["acknowledge", "assign", "mute", "expected", "new-normal", "note", "resolve", "merge", "split"]
Reason = Literal["insignificant", "planned", "business-change", "data-fix"]
ANSWERS: tuple[AnswerKind, ...] = get_args(AnswerKind)
REASONS: tuple[Reason, ...] = get_args(Reason)

#: What each answer takes beside a note; what it needs comes first.
FIELDS: Mapping[AnswerKind, tuple[str, ...]] = {
    "acknowledge": (),
    "assign": ("assignee",),
    "mute": ("until",),
    "expected": ("reason", "until"),
    "new-normal": ("since",),
    "note": (),
    "resolve": (),
    "merge": ("into",),
    "split": ("conditions",),
}
_OPTIONAL = {("expected", "until")}
#: What to give where a field is missing.
_WANTED = {
    "reason": f"one of {', '.join(REASONS)}",
    **dict.fromkeys(("until", "since"), "a time, UTC, as in 2026-12-01T06:00"),
    "assignee": "a name",
    "into": "the id of the other incident",
    "conditions": "the ids of the conditions",
}
_LONGEST = {"note": 2_000, "assignee": 200}
_MOST_CONDITIONS = 1_000
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class AnsweredCondition:
    """A condition that an answer is about, as it was then.

    :param last_seen: the newest evidence that the person could know; later evidence is of something new.
    """

    condition_id: str
    kind: str
    subject: str
    table: str
    column: str | None
    started_at: NaiveTime
    last_seen: NaiveTime

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Answer:
    """What a person said about an incident.

    :param answer_id: identifies the run or the command that gave it; the same one twice counts once.
    :param answered_by: the user of Airflow or of the operating system; None where it is not known.
    :param answered_at: UTC, ISO 8601 without a zone.
    :param conditions: those that it is about: those that held, or those to split off.
    :param reason: why it was expected.
    :param until: until when it is muted or expected, UTC without a zone.
    :param since: when the new normal began, UTC without a zone.
    :param into: the incident that it was merged into, by its id.
    """

    answer_id: str
    incident_id: str
    answer: AnswerKind
    answered_by: str | None
    answered_at: NaiveTime
    conditions: tuple[AnsweredCondition, ...] = ()
    reason: Reason | None = None
    until: NaiveTime | None = None
    since: NaiveTime | None = None
    assignee: str | None = None
    note: str | None = None
    into: str | None = None

    __pydantic_config__ = STRICT

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, without the conditions."""
        names = ("answer", "answered_by", "answered_at", "reason", "until", "since", "assignee", "note", "into")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class AnswerRequest:
    """An answer as a person gives it, in a form or on the command line; empty texts count as None.

    :param conditions: ids of the conditions to split off.
    """

    incident_id: str
    answer: AnswerKind
    reason: Reason | None = None
    until: datetime | None = None
    since: datetime | None = None
    assignee: str | None = None
    note: str | None = None
    into: str | None = None
    conditions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Mapping[str, Any], now: datetime) -> AnswerRequest:
        """Return the answer that texts describe.

        :param given: the fields by name.
        :param now: UTC without a zone.
        :raises ConfigurationError: a field is unknown, missing, superfluous, or its value does not fit.
        """
        known = tuple(cls.__dataclass_fields__)
        if unknown := sorted(str(name) for name in set(given) - set(known)):
            raise ConfigurationError(
                f"An answer has no field {', '.join(unknown)[:200]!r}. Its fields are {', '.join(known)}."
            )
        values = {name: _value(name, given.get(name)) for name in known}
        answer = _choice("answer", values["answer"], ANSWERS)
        fields = FIELDS[answer]
        for name in known:
            if name in ("incident_id", "answer", "note"):
                continue
            if name in fields and not values[name] and (answer, name) not in _OPTIONAL:
                raise ConfigurationError(f"Answer {answer!r} lacks {name}. Give {_WANTED[name]}.")
            if name not in fields and values[name]:
                raise ConfigurationError(f"Answer {answer!r} takes no {name}. Leave it empty.")
        if answer == "note" and not values["note"]:
            raise ConfigurationError("Answer 'note' lacks note. Give a text.")
        if values["reason"]:
            _choice("reason", values["reason"], REASONS)
        for name in ("incident_id", "into", *(["conditions"] if values["conditions"] else [])):
            for text in values[name] if name == "conditions" else [values[name]]:
                if (text or name == "incident_id") and not _ID.fullmatch(str(text)):
                    raise ConfigurationError(
                        f"{name} is {str(text)[:100]!r}, which is no id. Copy it from `airflow-elementary incidents "
                        "--json` or from the page."
                    )
        if values["until"] and values["until"] <= now:
            raise ConfigurationError(
                f"until is {values['until']:%Y-%m-%d %H:%M} UTC, which is over. Give a later time."
            )
        if values["since"] and values["since"] > now:
            raise ConfigurationError(
                f"since is {values['since']:%Y-%m-%d %H:%M} UTC, which is yet to come. Give an earlier time."
            )
        return cls(**values)


def _value(name: str, given: Any) -> Any:
    """Return a field's value; None for an empty one."""
    if name == "conditions":
        return _names(given)
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    if name in ("until", "since"):
        return _time(name, given)
    if not isinstance(given, str):
        raise ConfigurationError(f"{name} is not a text. Give a text.")
    text, longest = given.strip(), _LONGEST.get(name, 100)
    if len(text) > longest:
        raise ConfigurationError(f"{name} has {len(text):,} characters, and at most {longest:,} are kept. Shorten it.")
    if any(not (character.isprintable() or (character == "\n" and name == "note")) for character in text):
        raise ConfigurationError(f"{name} holds characters that cannot be printed. Remove them.")
    return text


def _names(given: Any) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else list(given or ()) if _is_list(given) else [given]
    found = tuple(dict.fromkeys(str(name).strip() for name in names if str(name).strip()))
    if len(found) > _MOST_CONDITIONS:
        raise ConfigurationError(f"conditions are {len(found):,}, and at most {_MOST_CONDITIONS:,} are split at once.")
    return found


def _is_list(given: Any) -> bool:
    return given is None or (isinstance(given, Sequence) and not isinstance(given, str | bytes))


def _time(name: str, given: Any) -> datetime:
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given.strip())
        return exact_without_zone(moment)
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ConfigurationError(
            f"{name} is {str(given)[:100]!r}. Give a date or a time (UTC), as in 2026-12-01 or 2026-12-01T06:00."
        ) from None


def _choice(name: str, given: Any, known: Sequence[Any]) -> Any:
    if given not in known:
        fact = f"{name} is {str(given)[:100]!r}" if given else f"{name} is missing"
        raise ConfigurationError(f"{fact}. Use one of {', '.join(known)}.")
    return given

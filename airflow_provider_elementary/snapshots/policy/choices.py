"""Resolves a snapshot's policy from defaults and what a run asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.policy import PARAMETERS, Policy
from airflow_provider_elementary.snapshots.policy.parameter import Kind, PolicyParameter

_BUILT_IN = "built in"
_THIS_RUN = "this run"
#: How a template without native rendering, or a form, writes that a field is empty.
_EMPTY = ("", "none", "null")
#: The strictest first: a run may move a column up this list, never down.
_RULE_WORDS = {"dropped_columns": "dropped", "masked_columns": "masked", "hashed_columns": "hashed"}
_COLUMN_RULES = tuple(_RULE_WORDS)


@dataclass(frozen=True)
class PolicyChoices:
    """What one place says about the policy.

    :param said: values by the parameter's name, as in :data:`~airflow_provider_elementary.snapshots.policy.PARAMETERS`;
        what is not named is not said.
    """

    said: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> PolicyChoices:
        """Read the choices out of values as forms, JSON, URIs and configuration files spell them.

        An empty value says nothing, as an empty field of a form does.

        :param where: the place, for errors.
        :raises ConfigurationError: a value is of another kind.
        """
        read = {
            parameter.name: _READERS[parameter.kind](values.get(parameter.name), f"{parameter.name} of {where}")
            for parameter in PARAMETERS
        }
        return cls({name: value for name, value in read.items() if value is not None})


@dataclass(frozen=True)
class ResolvedPolicy:
    """The policy of one snapshot, and where each part of it comes from.

    :param policy: what is taken.
    :param full_every_days: after how many days everything is read again.
    :param audit_days: how many settled days an incremental snapshot compares by their contents.
    :param values: the resolved choices by name.
    :param sources: the place that each of them comes from.
    """

    policy: Policy
    full_every_days: float
    audit_days: int
    values: Mapping[str, Any]
    sources: Mapping[str, str]

    def describe(self) -> str:
        """Return one line: the values by the place that they come from."""
        by_source: dict[str, list[str]] = {}
        for name, value in self.values.items():
            shown = ",".join(map(str, value)) or "none" if isinstance(value, tuple) else value
            by_source.setdefault(self.sources[name], []).append(f"{name}={shown}")
        return "; ".join(f"{source}: {' '.join(found)}" for source, found in by_source.items())


def resolve_policy(run: PolicyChoices, *defaults: tuple[str, PolicyChoices]) -> ResolvedPolicy:
    """Return the policy of a run: the defaults, narrowed by what the run asks for.

    :param run: what the run asks for; it takes less than the defaults allow, never more.
    :param defaults: places and what they say, the first one that says something counts.
    :raises ConfigurationError: the run asks for more than the defaults allow, or a value does not fit.
    """
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    sources = dict.fromkeys(values, _BUILT_IN)
    for place, choices in reversed(defaults):
        values.update(choices.said)
        sources.update(dict.fromkeys(choices.said, place))
    # The defaults have to fit by themselves, whatever a run takes away from them.
    _build(values)
    for parameter in PARAMETERS:
        name = parameter.name
        if name in run.said and name not in _COLUMN_RULES:
            asked = _narrow(parameter, run.said[name], values[name], sources[name])
            if asked != values[name]:
                values[name], sources[name] = asked, _source(sources[name], is_added=parameter.kind == "names")
    _narrow_columns(run, values, sources)
    return ResolvedPolicy(_build(values), values["full_every_days"], values["audit_days"], values, sources)


def _narrow(parameter: PolicyParameter, asked: Any, allowed: Any, source: str) -> Any:
    """Return what counts of what a run asks for.

    :raises ConfigurationError: it is more than the defaults allow.
    """
    wider: Any
    if parameter.is_free:
        return asked
    if parameter.kind == "names":
        return tuple(dict.fromkeys((*allowed, *asked)))
    if parameter.kind == "categories":
        wider = ",".join(category for category in asked if category not in allowed)
        _require_narrower(not wider, parameter.name, wider, ",".join(allowed), source)
    elif parameter.kind == "switch":
        _require_narrower(asked or not allowed, parameter.name, asked, allowed, source)
    else:
        _require_narrower(asked <= allowed, parameter.name, asked, allowed, source)
    return asked


def _build(values: Mapping[str, Any]) -> Policy:
    chosen = {name: value for name, value in values.items() if name in Policy.__dataclass_fields__}
    if values["full_every_days"] < 0:
        raise ConfigurationError(f"full_every_days is negative: {values['full_every_days']}. Use 0 or more.")
    return Policy.without_raw_values(**chosen) if values["without_raw_values"] else Policy(**chosen)


def _narrow_columns(run: PolicyChoices, values: dict[str, Any], sources: dict[str, str]) -> None:
    """Add the run's rules for columns; a column has one rule, and a run may only replace it by a stricter one."""
    for place, rule in enumerate(_COLUMN_RULES):
        for name in run.said.get(rule, ()):
            column = _column_of(name)
            for stricter in _COLUMN_RULES[:place]:
                if column in map(_column_of, values[stricter]) and column not in run.said.get(stricter, ()):
                    raise ConfigurationError(
                        f"{rule} of this run would widen the policy: {column} is {_RULE_WORDS[stricter]} by "
                        f"{sources[stricter]}. A run may only take less; change the store's connection to take more."
                    )
            if name != column and column in values[rule]:
                # All of the column is hashed already.
                continue
            if name == column:
                for milder in _COLUMN_RULES[place:]:
                    values[milder] = tuple(other for other in values[milder] if _column_of(other) != column)
            if name not in values[rule]:
                values[rule], sources[rule] = (*values[rule], name), _source(sources[rule], is_added=True)


def _require_narrower(fits: object, name: str, asked: Any, allowed: Any, source: str) -> None:
    if not fits:
        raise ConfigurationError(
            f"{name} of this run would widen the policy: it asks for {asked}, and {source} allows {allowed}. "
            "A run may only take less; change the store's connection to take more."
        )


def _source(before: str, *, is_added: bool) -> str:
    if not is_added or before in (_BUILT_IN, _THIS_RUN):
        return _THIS_RUN
    return f"{before.removesuffix(f' and {_THIS_RUN}')} and {_THIS_RUN}"


def _column_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def read_names(value: Any, where: str) -> tuple[str, ...] | None:
    """Return a list of names: a list, or text with commas or line breaks between them; None where it is empty.

    :raises ConfigurationError: it is something else.
    """
    if value is None or str(value).strip().lower() in _EMPTY:
        return None
    if isinstance(value, str):
        value = value.replace("\n", ",").split(",")
    if not isinstance(value, Sequence) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"{where} must be a list of names; it is {type(value).__name__}.")
    return tuple(dict.fromkeys(name.strip() for name in value if name.strip())) or None


def read_switch(value: Any, where: str) -> bool | None:
    """Return a switch, which a template or a URI gives as text; None where it is empty.

    :raises ConfigurationError: it is neither true nor false.
    """
    text = "" if value is None else str(value).strip().lower()
    if text in _EMPTY:
        return None
    if text not in ("true", "false"):
        raise ConfigurationError(f"{where} must be true or false; it is {value!r}.")
    return text == "true"


def _read_number(value: Any, where: str) -> float | None:
    if value is None or str(value).strip().lower() in _EMPTY:
        return None
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = float("nan")
    # A limit that is no number at all would be below every other.
    if not 0 <= number < float("inf"):
        raise ConfigurationError(f"{where} must be a number of 0 or more; it is {value!r}.")
    return number


def _read_count(value: Any, where: str) -> int | None:
    number = _read_number(value, where)
    if number is not None and number != int(number):
        raise ConfigurationError(f"{where} must be a whole number; it is {value!r}.")
    return None if number is None else int(number)


_READERS: Mapping[Kind, Callable[[Any, str], Any]] = {
    "categories": read_names,
    "names": read_names,
    "columns": read_names,
    "keys": read_names,
    "count": _read_count,
    "number": _read_number,
    "switch": read_switch,
}

"""Sends alerts over Airflow's notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.alerts.wanted import WantedAlerts
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.timeouts import SEND_SECONDS, ends_within, in_background

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier, Context

    from airflow_provider_elementary.alerts import Alert, AlertFilter


_NO_NAMES = frozenset({"digest", "heartbeat"})


@dataclass(frozen=True)
class AlertRoute(WantedAlerts):
    """A notifier and the alerts it sends.

    The conditions of :class:`~airflow_provider_elementary.alerts.wanted.WantedAlerts` are arguments too. The
    notifier's templates can use the alert: ``{{ alert.title }}``, ``{{ alert.text }}``, ``{{ alert.channel }}``; see
    :class:`~airflow_provider_elementary.alerts.Alert`. All fields but the notifier may be templates themselves.

    :param notifier: a notifier of any provider.
    :param enabled: False or empty switches the route off, as an empty field of a form does. (templated)
    :param recipients: mail addresses that a form gives the notifier: with one that is none, the task fails before any
        alert is sent. (templated)
    """

    notifier: BaseNotifier
    enabled: Any = True
    recipients: Sequence[str] = ()

    def templates(self) -> dict[str, Any]:
        """Return the fields that Airflow renders."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "notifier"}

    def send(self, alert: Alert, context: Context) -> str | None:
        """Send an alert with a copy of the notifier, as rendering changes a notifier.

        :return: the thread that the message is in, where the notifier knows it.
        :raises TimeoutError: the notifier did not return in time; not every notifier has a time-out of its own.
        """
        notifier: Any = deepcopy(self.notifier)
        sending = in_background("alert", notifier, {**context, "alert": alert})
        if not ends_within(sending, SEND_SECONDS):
            raise TimeoutError
        sending.result()
        return getattr(notifier, "thread", None)


def filter_of(rendered: Mapping[str, Any]) -> AlertFilter:
    """Return the filter of the rendered fields of a route; a single name counts as a list."""
    from airflow_provider_elementary.alerts import AlertFilter

    named = {field.name: rendered[field.name] for field in fields(WantedAlerts) if field.name not in _NO_NAMES}
    return AlertFilter(
        digest=rendered["digest"] or None,
        heartbeat=str(rendered["heartbeat"]).lower() not in ("", "false", "none"),
        **{name: (value,) if isinstance(value, str) else tuple(value or ()) for name, value in named.items()},
    )


def require_recipients(name: str, rendered: Mapping[str, Any]) -> None:
    """Check the mail addresses of the rendered fields of a route.

    :raises ConfigurationError: one is no address.
    """
    from airflow_provider_elementary.alerts.alert import is_mail_address

    given = rendered["recipients"] or ()
    bad = [text for text in ((given,) if isinstance(given, str) else given) if not is_mail_address(str(text))]
    if bad:
        raise ConfigurationError(
            f"The alert route {name} cannot send mail to {', '.join(map(repr, bad))}: that is no mail address. "
            "Give one address per line, as in data-team@example.com."
        )

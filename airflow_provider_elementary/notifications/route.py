"""A route: one of Airflow's notifiers, and which alerts it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.timeouts import SEND_SECONDS, ends_within, in_background

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier, Context

    from airflow_provider_elementary.alerts import Alert, AlertFilter


@dataclass(frozen=True)
class AlertRoute:
    """Where alerts go, and which: everything given has to fit; what is left empty lets every alert pass.

    The templates of the notifier reach the alert: ``{{ alert.title }}``, ``{{ alert.text }}``, ``{{ alert.channel }}``;
    see :class:`~airflow_provider_elementary.alerts.Alert`. All fields but the notifier may be templates themselves.

    :param notifier: any notifier, of whichever provider.
    :param enabled: False or empty switches the route off, as an empty field of a form does. (templated)
    :param events: of ``opened``, ``continues`` and ``resolved``. (templated)
    :param severities: of ``warn`` and ``error``. (templated)
    :param tags: tags of the table or the test. (templated)
    :param owners: owners of the table or the test. (templated)
    :param channels: channels that the project names. (templated)
    :param tables: tables, with ``*`` for any text: ``orders``, ``shop.marts.*``. (templated)
    """

    notifier: BaseNotifier
    enabled: Any = True
    events: Sequence[str] = ("opened", "resolved")
    severities: Sequence[str] = ()
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    channels: Sequence[str] = ()
    tables: Sequence[str] = ()

    def templates(self) -> dict[str, Any]:
        """Return the fields that Airflow renders."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "notifier"}

    def send(self, alert: Alert, context: Context) -> None:
        """Send an alert: with a notifier of its own, since rendering changes a notifier for good.

        :raises TimeoutError: the notifier did not return; a notifier of any provider may know no time-out.
        """
        notifier: Any = deepcopy(self.notifier)
        sending = in_background("alert", notifier, {**context, "alert": alert})
        if not ends_within(sending, SEND_SECONDS):
            raise TimeoutError
        sending.result()


def filter_of(rendered: Mapping[str, Any]) -> AlertFilter:
    """Return what the rendered fields of a route let pass; one name alone is a list of one."""
    from airflow_provider_elementary.alerts import AlertFilter

    names = {name: value for name, value in rendered.items() if name != "enabled"}
    return AlertFilter(
        **{name: (value,) if isinstance(value, str) else tuple(value or ()) for name, value in names.items()}
    )

"""The operator that tells people of incidents, through any of Airflow's notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, Context

from airflow_provider_elementary.links.elementary import ElementaryPageLink, page_address
from airflow_provider_elementary.notifications.route import AlertRoute, filter_of
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    number,
    real_number,
    run_key,
)
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier


class ElementaryAlertOperator(ElementaryStoreOperator):
    """Tells each route of the incidents that are news to it: one alert per incident, not one per run.

    Elementary's own meta in the dbt project is honoured: owner, subscribers, channel, tags, suppression interval, alert
    fields. Who was told what rests in the store, sealed; a task that is run again sends nothing twice. Where a notifier
    fails, the other routes are served, and then the task fails. Without an enabled route the task is skipped.

    :param incidents: what :class:`~airflow_provider_elementary.operators.anomalies.ElementaryAnomalyOperator` or
        :class:`~airflow_provider_elementary.operators.anomalies.ElementaryIncidentOperator` returned: its ``output``.
        (templated)
    :param routes: the notifiers by a name of your choice, each alone or in an
        :class:`~airflow_provider_elementary.notifications.route.AlertRoute` that says which alerts it gets. A route
        keeps its memory as long as it keeps its name.
    :param suppression_hours: after an alert about a table, none about it for so many hours; counts for tables whose
        meta names no ``alert_suppression_interval``. (templated)
    :param at_most: more incidents than this that are news to one route are told in one alert. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "incidents",
        "suppression_hours",
        "at_most",
    )
    operator_extra_links = (ElementaryPageLink(),)
    ui_color = "#f7e8d7"

    def __init__(
        self,
        *,
        incidents: Any,
        routes: Mapping[str, AlertRoute | BaseNotifier],
        suppression_hours: float | str = 0,
        at_most: int | str = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.incidents = incidents
        self.routes = {
            name: route if isinstance(route, AlertRoute) else AlertRoute(route) for name, route in routes.items()
        }
        self.suppression_hours = suppression_hours
        self.at_most = at_most

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what is news, remember it, and raise last."""
        from airflow_provider_elementary.alerts import send_alerts

        rendered = {name: self.render_template(route.templates(), context) for name, route in self.routes.items()}
        enabled = {name: fields for name, fields in rendered.items() if fields["enabled"]}
        if not enabled:
            # Airflow logs that the task was skipped, and not why.
            self.log.info("no route is enabled, so nobody is told")
            raise AirflowSkipException("No route is enabled, so nobody is told.")
        found = self.incidents
        verdicts = found.get("verdicts") or ()
        with clear_failures():
            outcome = send_alerts(
                self.repository.store,
                self.repository.keys,
                found["incidents"],
                {name: filter_of(fields) for name, fields in enabled.items()},
                lambda name, alert: self.routes[name].send(alert, context),
                series=f"{context['ti'].dag_id}/{context['ti'].task_id}",
                run_key=run_key(context),
                now=utc_now(),
                verdicts=(verdicts,) if isinstance(verdicts, str) else tuple(verdicts),
                suppression_hours=real_number(self, "suppression_hours"),
                at_most=number(self, "at_most"),
                url=page_address(),
            )
            self.log.info(
                "%s alerts sent over %s routes; %s incidents are open",
                sum(outcome.sent.values()),
                len(outcome.sent),
                outcome.open,
            )
            outcome.require_all_sent()
        return {"store": self.repository.uri, "sent": dict(outcome.sent), "open_incidents": outcome.open}

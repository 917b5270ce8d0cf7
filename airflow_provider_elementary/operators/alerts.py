"""The operator that sends alerts of incidents over Airflow's notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, Context, conf

from airflow_provider_elementary.links.elementary import ElementaryPageLink, incident_address, page_address
from airflow_provider_elementary.notifications.route import AlertRoute, filter_of, require_recipients
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    real_number,
    require_no_loss,
    returned_before,
    run_key,
    task_series,
    templated_number,
)
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseNotifier

    from airflow_provider_elementary.alerts import AlertFilter, Dispatched


class ElementaryAlertOperator(ElementaryStoreOperator):
    """Sends an alert over each route for every incident that it has not been notified of: once, not in every run.

    Elementary's alert meta in the dbt project applies: owner, subscribers, channel, tags, suppression interval, alert
    fields. Sent notifications are stored encrypted in the store; a task that is run again sends nothing twice. If a
    notifier fails, the other routes are served, and then the task fails. Without an enabled route the task is skipped.

    :param incidents: what :class:`~airflow_provider_elementary.operators.anomalies.ElementaryAnomalyOperator` or
        :class:`~airflow_provider_elementary.operators.incidents.ElementaryIncidentOperator` returned: its ``output``.
        None, as where that task did not run, for the incidents as of now: those that were saved last, and that the
        sync failed. (templated)
    :param routes: the notifiers by a name of your choice, each alone or in an
        :class:`~airflow_provider_elementary.notifications.route.AlertRoute` that selects its alerts. Sent notifications
        belong to the route's name: a renamed route sends them again.
    :param suppression_hours: minimum hours between alerts about the same table; ``alert_suppression_interval`` in dbt's
        meta wins. (templated)
    :param at_most: if more incidents than this are pending for one route, they are sent in one alert. (templated)
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
        """Send pending alerts, record them, and raise last."""
        filters = self._enabled_filters(context)
        with clear_failures():
            outcome = self._send(filters, context)
            sent = sum(outcome.sent.values())
            self.log.info("sent %s alerts over %s routes; %s incidents open", sent, len(outcome.sent), outcome.open)
            returned = {
                "store": self.repository.uri,
                "sent": dict(outcome.sent),
                "open_incidents": outcome.open,
                "anchor": outcome.anchor,
            }
            require_no_loss(context, outcome.lost, returned)
            if outcome.failed:
                # A task that fails returns nothing, and the next run needs the anchor.
                context["ti"].xcom_push(key="return_value", value=returned)
            outcome.require_all_sent()
        return returned

    def _send(self, filters: Mapping[str, AlertFilter], context: Context) -> Dispatched:
        from airflow_provider_elementary.alerts import send_alerts

        return send_alerts(
            self.repository,
            self.incidents["incidents"] if self.incidents else None,
            filters,
            lambda name, alert: self.routes[name].send(alert, context),
            series=task_series(context),
            run_key=run_key(context),
            now=utc_now(),
            suppression_hours=real_number(self, "suppression_hours"),
            at_most=templated_number(self, "at_most"),
            url_of=self._url_of,
            docs_url=str(conf.get("elementary", "docs_url", fallback="") or ""),
            anchor=returned_before(context).get("anchor"),
        )

    def _url_of(self, incident_id: str) -> str:
        """Return the address of an incident; empty where Airflow does not know its own."""
        return incident_address(incident_id, self.store_conn_id) if page_address() else ""

    def _enabled_filters(self, context: Context) -> dict[str, AlertFilter]:
        """Return which alerts each enabled route gets, by the route's name.

        :raises ElementaryFailException: a recipient is no mail address.
        :raises AirflowSkipException: no route is enabled.
        """
        rendered = {name: self.render_template(route.templates(), context) for name, route in self.routes.items()}
        with clear_failures():
            for name, fields in rendered.items():
                if fields["enabled"]:
                    require_recipients(name, fields)
        enabled = {name: filter_of(fields) for name, fields in rendered.items() if fields["enabled"]}
        if not enabled:
            if (anchor := returned_before(context).get("anchor")) is not None:
                context["ti"].xcom_push(key="return_value", value={"anchor": anchor})
            # Airflow logs that the task was skipped, without the reason.
            self.log.info("no alert route is enabled; skipping")
            raise AirflowSkipException("No alert route is enabled.")
        return enabled

"""What the operators share: the argument that names a store, the key of a run, and how errors reach Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context, get_current_context

from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError
from airflow_provider_elementary.hooks.store import DEFAULT_STORE, ElementaryStoreHook

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.access.proof import Proof
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.source import Source
    from airflow_provider_elementary.warehouses.source import WarehouseSource

#: The class whose reports serve the tasks downstream of it.
ACCESS_CHECK = "ElementaryAccessCheckOperator"
_EVENTS_READ = 50


class ElementaryFailException(AirflowFailException, ElementaryError):
    """An error of ours that no retry can mend: Airflow fails the task at once."""


@contextmanager
def clear_failures() -> Iterator[None]:
    """Let errors that a retry may mend pass, and make Airflow give up on the others at once."""
    try:
        yield
    except ElementaryFailException:
        raise
    except ElementaryError as error:
        if error.permanent:
            raise ElementaryFailException(str(error)) from error
        raise


@contextmanager
def log_group(log: Any, title: str) -> Iterator[None]:
    """Fold what is logged in the block under a title, in Airflow's view of the log."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")


def run_key(context: Context) -> str:
    """Return what a task instance works for: the same over retries and clears of one DAG run."""
    instance = context["ti"]
    return f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"


def is_true(value: bool | str | None) -> bool:
    """Return a switch that may have been a template: without native rendering a form's false is the text False.

    :raises ConfigurationError: it is neither.
    """
    told = str(value or "").strip().lower()
    if told not in ("true", "false", "none", ""):
        raise ConfigurationError(f"Expected true or false for a switch, found {value!r}.")
    return told == "true"


class ElementaryStoreOperator(BaseOperator):
    """Base of the operators that use a store.

    :param store_conn_id: the connection of type ``elementary_store``. (templated)
    """

    template_fields: Sequence[str] = ("store_conn_id",)

    def __init__(self, *, store_conn_id: str | None = DEFAULT_STORE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store_conn_id = store_conn_id

    @cached_property
    def store_hook(self) -> ElementaryStoreHook:
        """The hook of the store's connection."""
        # A form's empty field names no connection.
        return ElementaryStoreHook(self.store_conn_id or DEFAULT_STORE)

    @property
    def repository(self) -> Repository:
        """The store's snapshots, its keys and its signer."""
        return self.store_hook.repository


class ElementarySourceOperator(ElementaryStoreOperator):
    """Base of the operators that read a warehouse or a snapshot, and write what they compute to a store.

    :param elementary_conn_id: the connection of the warehouse to read; without one, a snapshot in the store is read
        and no warehouse is needed. (templated)
    :param snapshot: which snapshot: ``latest`` or its id. (templated)
    :param schema: the Elementary schema of the warehouse. (templated)
    :param database: the database that holds it. (templated)
    :param accept_unknown: checks of the access check that may stay unknown.
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "elementary_conn_id",
        "snapshot",
        "schema",
        "database",
    )

    def __init__(
        self,
        *,
        elementary_conn_id: str | None = None,
        snapshot: str = "latest",
        schema: str | None = None,
        database: str | None = None,
        accept_unknown: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.snapshot = snapshot
        self.schema = schema
        self.database = database
        self.accept_unknown = tuple(accept_unknown)

    @contextmanager
    def open_source(self) -> Iterator[tuple[Source, dict[str, Any]]]:
        """Open the warehouse, its access checked, or the snapshot.

        :return: the source, and what it is, for the result's ``origin``.
        """
        if self.elementary_conn_id:
            from airflow_provider_elementary.hooks.elementary import ElementaryHook

            hook = ElementaryHook(self.elementary_conn_id, self.schema, self.database)
            with hook.source() as source:
                require_access(hook, source, self.accept_unknown)
                warehouse, known = source.warehouse, {"adapter": source.adapter, "namespace": source.namespace}
                yield source, {"dialect": warehouse.dialect, "schema": warehouse.schema, **known}
        else:
            snapshot = self.repository.open(self.snapshot)
            known = {"adapter": snapshot.adapter, "namespace": snapshot.manifest.source.get("namespace")}
            taken = {"store": self.repository.uri, "snapshot_id": snapshot.manifest.snapshot_id}
            yield snapshot, {**taken, **known}


def require_access(
    hook: ElementaryHook,
    source: WarehouseSource,
    accept_unknown: Sequence[str] | None,
    probes: Sequence[str] | None = None,
) -> AccessReport:
    """Stop unless every check passes for an open session: checked now, or earlier in this DAG run for one like it.

    A report of the run counts for a session that the warehouse tells from none before, over a link protected alike;
    see :mod:`airflow_provider_elementary.access.proof`. Any other session is checked anew.

    :raises AccessDeniedError: a check failed, or is unknown and not accepted by name.
    """
    session = hook.fingerprint(source)
    found = next((proof for proof in _proofs_of_this_run() if proof.stands_for(session, probes or ())), None)
    report = found.report if found else hook.check(source, probes or ())
    passed = sum(finding.status == "pass" for finding in report.findings)
    hook.log.info(
        "access of %s, checked %s: %s of %s checks pass, %s fail, %s unknown",
        hook.elementary_conn_id,
        f"in this DAG run at {report.checked_at:%H:%M:%S} UTC" if found else "now",
        passed,
        len(report.findings),
        len(report.failed),
        len(report.unknown),
    )
    report.require([*(accept_unknown or ()), *hook.accept_unknown])
    return report


def _proofs_of_this_run() -> Iterator[Proof]:
    """Yield what the access checks upstream of the running task returned."""
    try:
        instance: Any = get_current_context()["ti"]
    except RuntimeError:
        # A trigger is no task.
        return
    from airflow_provider_elementary.access.proof import Proof

    upstream = [
        task.task_id for task in instance.task.get_flat_relatives(upstream=True) if task.task_type == ACCESS_CHECK
    ]
    for returned in instance.xcom_pull(task_ids=sorted(upstream)) if upstream else ():
        try:
            yield Proof.from_dict(returned)
        except (KeyError, TypeError, ValueError):
            # Not returned yet, or by another version.
            continue


def anchors_of(operator: ElementaryStoreOperator, anchor: Mapping[str, Any] | None, context: Context) -> list[Anchor]:
    """Return what is remembered of a chain outside its store: what was given, and the newest event of each inlet.

    :param anchor: what a snapshot task returned.
    """
    from airflow_provider_elementary.snapshots.chain import Anchor

    anchors = []
    if anchor:
        try:
            anchors.append(Anchor(int(anchor["sequence"]), str(anchor["manifest_sha256"])))
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(
                "Expected an anchor with sequence and manifest_sha256, as a snapshot task returns them; found "
                "something else."
            ) from None
    for asset in operator.inlets or ():
        for event in context["inlet_events"][asset].ascending(False).limit(_EVENTS_READ):
            extra = event.extra or {}
            if extra.get("store") == operator.repository.uri and "manifest_sha256" in extra:
                origin = f"the event of {asset.name} at {event.timestamp:%Y-%m-%d %H:%M} UTC"
                anchors.append(Anchor(int(str(extra["sequence"])), str(extra["manifest_sha256"]), origin))
                break
    return anchors

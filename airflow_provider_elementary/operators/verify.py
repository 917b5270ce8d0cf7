"""The operator that verifies a store of snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    anchors_of,
    clear_failures,
    is_true,
    parse_categories,
)
from airflow_provider_elementary.operators.stats import report_verification

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.verify import VerifyReport

_RETURNED = 20


class ElementaryVerifySnapshotOperator(ElementaryStoreOperator):
    """Verifies a store: the complete chain of manifests, and the files of one snapshot or of all; fails on a finding.

    With the Asset of the snapshots among its ``inlets``, the newest event of this store is an anchor: a chain that was
    truncated or rewritten fails. If the store's connection names signing keys, every manifest has to be signed by one
    of them.

    :param snapshot: whose files are read: ``latest``, ``all``, a snapshot's id, or a time (ISO 8601). (templated)
    :param anchor: what a snapshot task returned, or a mapping with its ``sequence`` and ``manifest_sha256``.
        (templated)
    :param decrypt: decrypt every file and count its rows, with the keys; if false, compare hashes only. (templated)
    :param categories: the categories that the keys have to decrypt; all by default. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "snapshot",
        "anchor",
        "decrypt",
        "categories",
    )
    ui_color = "#e3e0f5"

    def __init__(
        self,
        *,
        snapshot: str = "latest",
        anchor: Mapping[str, Any] | None = None,
        decrypt: bool | str = True,
        categories: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.anchor = anchor
        self.decrypt = decrypt
        self.categories = categories

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify, log every finding, and raise last if there is one."""
        with clear_failures():
            report = self.repository.verify(
                self.snapshot,
                anchors=anchors_of(self, self.anchor, context),
                decrypt=is_true(self.decrypt),
                categories=parse_categories(self.categories or Category),
            )
            self._log(report)
            report_verification(self, context, report)
            report.require()
        facts = report.to_dict()
        return {**facts, "snapshots": facts["snapshots"][-_RETURNED:], "notes": facts["notes"][:_RETURNED]}

    def _log(self, report: VerifyReport) -> None:
        for finding in report.findings:
            self.log.warning("%s is %s: %s", finding.object, finding.damage, finding.detail)
        for note in report.notes:
            self.log.info("note: %s", note)
        self.log.info(
            "verified %s manifests, %s results, %s answers, %s access reports and %s files (%s bytes, %s rows): "
            "%s findings",
            report.manifests,
            report.results,
            report.answers,
            report.reports,
            report.files,
            f"{report.size:,}",
            f"{report.rows:,}",
            len(report.findings),
        )

"""Writes charts of verdicts and the audit as files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elementary.page.charts import draw
from airflow_provider_elementary.page.day_grid import grid_of_verdicts, picture_of
from airflow_provider_elementary.page.rendering import TEMPLATES, amount, environment
from airflow_provider_elementary.page.series import Point, Series

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.page.views.audit import StoreAudit


def days_by_table(verdicts: pa.Table, title: str) -> str:
    """Draw a square for each table and day on which it has anomalies: the more, the stronger its colour.

    :param verdicts: of a backtest or of a run.
    :param title: what is written above.
    """
    grid = grid_of_verdicts(verdicts)
    text = f"{grid.conclusion}. A square: a day with anomalous buckets; the stronger its colour, the more."
    return _render(title, text, picture=picture_of(grid), chart=None)


def series_with_range(verdicts: pa.Table, title: str) -> str:
    """Draw one series: its values, the range that was expected, and what is anomalous.

    :param verdicts: of one series.
    :param title: what is written above.
    """
    rows = sorted(verdicts.to_pylist(), key=lambda row: row["bucket_end"])
    points = tuple(
        Point(
            row["bucket_start"],
            row["bucket_end"],
            row["metric_value"],
            row["expected_min"],
            row["expected_max"],
            row["is_anomalous"],
            row["reason"] or "",
        )
        for row in rows
    )
    metric, column = (rows[0]["metric_name"], rows[0]["column_name"]) if rows else ("", None)
    chart = draw(Series(metric, column, 1, 1, points), lambda name, value: amount(value, name))
    text = "line: values; shaded: expected; triangle: anomalous"
    return _render(title, text, picture=None, chart=chart)


def audit_page(audit: StoreAudit) -> str:
    """Return the audit of a store as an HTML file that needs no other file."""
    from markupsafe import Markup

    # Our own style sheet, which holds no markup.
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704
    return environment().get_template("audit_file.html").render(page=audit, style=style)


def _render(title: str, text: str, **drawn: object) -> str:
    return environment().get_template("standalone.html").render(title=title, text=text, **drawn)

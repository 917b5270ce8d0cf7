"""Detection on many daily series: one new bucket with what is kept of the past, and a cold replay of 90 buckets.

``python -m tests.benchmarks anomalies [--series 100000] [--statsforecast-python PATH]`` prints the table. Both methods
stand beside a window function that computes z-scores of the same rows in DuckDB, and beside statsforecast's AutoETS on
a sample, scaled up. The operator's stream is what ``ElementaryAnomalyOperator(method="robust")`` does with the metrics:
all of them are streamed, and the model state is read and written. Each measurement is a process of its own; the rows
are made before the clock starts, and those of the stream while it stands still.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Measurement, in_own_process, measured
from tests.support.signing import opened

_BUCKETS, _STORED_BUCKETS = 90, 30
_TRAINING = 14
#: A replay of many series is done in shards, as a mapped task would.
_SHARD = 10_000
_SAMPLE = 100
#: As :mod:`airflow_provider_elementary.metrics.deduplicate` parts a large table.
_PARTS, _BATCH_ROWS = 64, 65_536
_PROPERTIES = (
    '{"time_bucket": {"count": 1, "period": "day"}, "timestamp_column": "loaded_at", "where_expression": null}'
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks anomalies", description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", choices=list(_WORKS), help="some of the works")
    parser.add_argument("--statsforecast-python", default=sys.executable, help="an interpreter that has statsforecast")
    parsed = parser.parse_args(arguments)
    print("| work | with | seconds | CPU seconds | buckets/s | peak MB | MB of input and before |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (title, tool, _) in _WORKS.items():
            if parsed.only and name not in parsed.only:
                continue
            try:
                found = in_own_process("tests.benchmarks.anomalies", [name, str(parsed.series), folder])
            except RuntimeError as error:
                print(f"{name} is left out: {str(error).strip().splitlines()[-1]}", file=sys.stderr, flush=True)
                continue
            _print_row(title, tool, found)
    if not parsed.only:
        _statsforecast(parsed.statsforecast_python, parsed.series)


def _print_row(title: str, tool: str, found: Measurement) -> None:
    wall, cpu = found.wall - found.facts.get("making_wall", 0), found.cpu - found.facts.get("making_cpu", 0)
    print(
        f"| {title} | {tool} | {wall:.1f} | {cpu:.1f} | {found.facts['scored'] / wall:,.0f} | {found.peak_mb:.0f} "
        f"| {found.base_mb:.0f} |",
        flush=True,
    )


def _metrics(first_series: int, series: int, buckets: int) -> Any:
    """Make daily row counts with a weekly shape, growth and noise, in the order of days."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(first_series + 1)
    day = np.arange(buckets)[:, None]
    level = np.exp(random.normal(7, 1, series))[None, :]
    week = 1 + 0.3 * np.sin(2 * np.pi * (day % 7) / 7 + random.uniform(0, 6, series)[None, :])
    values = np.round(level * week * (1 + 0.002 * day) * np.exp(random.normal(0, 0.1, (buckets, series))))
    names = pa.array([f"SHOP.CORE.T{first_series + number:06d}" for number in range(series)])
    places = pa.array(np.tile(np.arange(series, dtype=np.int32), buckets))
    rows = buckets * series
    starts = np.repeat(np.datetime64("2026-01-01", "us") + np.arange(buckets) * np.timedelta64(1, "D"), series)
    return pa.table(
        {
            "full_table_name": pa.DictionaryArray.from_arrays(places, names),
            "column_name": pa.nulls(rows, pa.string()),
            "metric_name": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["row_count"])),
            "dimension": pa.nulls(rows, pa.string()),
            "dimension_value": pa.nulls(rows, pa.string()),
            "bucket_start": pa.array(starts),
            "bucket_end": pa.array(starts + np.timedelta64(1, "D")),
            "metric_value": pa.array(values.ravel()),
        }
    )


def _new_bucket_elementary(series: int, folder: Path) -> Callable[[], Mapping[str, Any]]:
    from airflow_provider_elementary.anomalies import detect

    # What is kept of the past is the training window itself; the new bucket is its last day.
    metrics = _metrics(0, series, _TRAINING)
    last = metrics["bucket_start"][-1].as_py()
    return lambda: {"scored": len(detect(metrics, method="elementary", since=last))}


def _new_bucket_sql(series: int, folder: Path) -> Callable[[], Mapping[str, Any]]:
    metrics = _metrics(0, series, _TRAINING)
    return lambda: {"scored": _sql(metrics, "QUALIFY bucket_end = max(bucket_end) OVER ()")}


def _replay(score: Callable[[Any], int]) -> Callable[[int, Path], Callable[[], Mapping[str, Any]]]:
    def prepare(series: int, folder: Path) -> Callable[[], Mapping[str, Any]]:
        first = _metrics(0, min(series, _SHARD), _BUCKETS)

        def work() -> Mapping[str, Any]:
            scored = score(first)
            for start in range(_SHARD, series, _SHARD):
                scored += score(_metrics(start, min(_SHARD, series - start), _BUCKETS))
            return {"scored": scored}

        return work

    return prepare


def _detect(method: Any) -> Callable[[Any], int]:
    def score(metrics: Any) -> int:
        from airflow_provider_elementary.anomalies import detect

        return len(detect(metrics, method=method))

    return score


@dataclass
class _Made:
    """A stream of metrics in the order in which they are computed, and the time that making them took.

    Each of 64 parts of the ids comes in the order of time, as of a large ``data_monitoring_metrics``. With shares every
    second series is the share of nulls of a column of the table whose rows the one before it counts.
    """

    series: int
    buckets: int
    has_shares: bool = False
    wall: float = 0
    cpu: float = 0

    def reader(self) -> Any:
        import pyarrow as pa

        from airflow_provider_elementary.metrics import METRICS_SCHEMA

        return pa.RecordBatchReader.from_batches(METRICS_SCHEMA, self._timed())

    def _timed(self) -> Iterator[Any]:
        for part in range(_PARTS):
            wall, cpu = time.perf_counter(), time.process_time()
            batches = self.part(part)
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu
            yield from batches

    def part(self, part: int, first_day: int = 0) -> list[Any]:
        """Return one part, of the days from the first on."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        from airflow_provider_elementary.metrics import METRICS_SCHEMA

        number = np.arange(-(-self.series // _PARTS))
        day = np.repeat(np.arange(first_day, self.buckets), len(number))
        series = np.tile(number * _PARTS, self.buckets - first_day) + (part + 7 * day) % _PARTS
        day, series = day[series < self.series], series[series < self.series]
        noise = np.random.default_rng(part).normal(0, 0.1, len(day))
        level = 200 + series * 7919 % 5000
        values = np.round(
            level * (1 + 0.3 * np.sin(2 * np.pi * (day + series) / 7)) * (1 + 0.002 * day) * np.exp(noise)
        )
        is_share = (series % 2 == 1) & self.has_shares
        values = np.where(is_share, np.round(2 + 20 * np.abs(noise), 3), values)
        starts = np.datetime64("2026-01-01", "us") + day * np.timedelta64(1, "D")
        ends = starts + np.timedelta64(1, "D")
        rows, nothing = len(day), pa.nulls(len(day), pa.string())
        kind, table = pa.array(is_share.astype(np.int8)), pa.array(series - is_share)
        name = pa.array(["row_count", "null_percent"]).take(kind)
        columns = {
            "id": pc.utf8_lpad(pa.array(day * self.series + series).cast(pa.string()), 32, "0"),
            "full_table_name": pc.binary_join_element_wise("SHOP.CORE.T", table.cast(pa.string()), ""),
            "column_name": pa.array([None, "email"], pa.string()).take(kind),
            "metric_name": name,
            "metric_type": name,
            "dimension": nothing,
            "dimension_value": nothing,
            "metric_properties": pa.array([_PROPERTIES]).take(pa.array(np.zeros(rows, np.int8))),
            "bucket_start": pa.array(starts),
            "bucket_end": pa.array(ends),
            "bucket_duration_hours": pa.array(np.full(rows, 24)),
            "metric_value": pa.array(values),
            "updated_at": pa.array(ends + np.timedelta64(6, "h")),
        }
        return pa.table(columns, schema=METRICS_SCHEMA).to_batches(_BATCH_ROWS)


def _operator(buckets: int) -> Callable[[int, Path], Callable[[], Mapping[str, Any]]]:
    """Score the last two days of a stream as the operator does, from what the run before left in the folder."""

    def prepare(series: int, folder: Path) -> Callable[[], Mapping[str, Any]]:
        from airflow_provider_elementary.anomalies.detect_recent import score_recent
        from airflow_provider_elementary.anomalies.robust.state_store import ModelStateStore, scoring_settings
        from airflow_provider_elementary.snapshots import LocalKeys, open_store

        secret = folder / "key"
        if not secret.exists():
            secret.write_text(json.dumps(LocalKeys.generate()))
        keys, store = LocalKeys(json.loads(secret.read_text())), open_store((folder / "store").as_uri())
        fits = scoring_settings({}, days=2, shard=0, shards=1)
        states = ModelStateStore(opened(store, keys), "benchmark", f"{buckets} buckets", fits)
        stream = _Made(series, buckets)

        def work() -> Mapping[str, Any]:
            given: dict[str, Any] = {"load_state": states.load, "keep_state": states.keep}
            scored = score_recent(stream.reader(), method="robust", days=2, parameters={}, **given)
            assert scored.learned_until is not None
            states.save(scored.learned_until, {})
            rows = series * (1 if scored.resumed == series else buckets)
            return {"scored": rows, "making_wall": stream.wall, "making_cpu": stream.cpu}

        return work

    return prepare


def _stored(*, is_first: bool, has_shares: bool = False) -> Callable[[int, Path], Callable[[], Mapping[str, Any]]]:
    """Score the last two days of stored metrics, a file a day; then once more, with a day that is new."""

    def prepare(series: int, folder: Path) -> Callable[[], Mapping[str, Any]]:
        from airflow_provider_elementary.anomalies.detect_recent import score_recent
        from airflow_provider_elementary.anomalies.robust.state_store import ModelStateStore, scoring_settings
        from airflow_provider_elementary.anomalies.stored_metrics import StoredMetrics
        from airflow_provider_elementary.elementary_schema import Category
        from airflow_provider_elementary.snapshots import LocalKeys, open_store
        from airflow_provider_elementary.storage.keys import DataKey, Purpose
        from airflow_provider_elementary.storage.records.result_files import ResultNames, write_rows
        from airflow_provider_elementary.storage.records.results import commit_result, newest_result

        secret = folder / "key"
        if not secret.exists():
            secret.write_text(json.dumps(LocalKeys.generate()))
        keys = LocalKeys(json.loads(secret.read_text()))
        repository = opened(open_store((folder / "store").as_uri()), keys)
        of = "shares" if has_shares else ""
        names, categories = ResultNames("metrics", of, str(is_first)), [Category.TABLE_METRICS]
        categories += [Category.AGGREGATED_METRICS] * has_shares
        before = None if is_first else newest_result(repository, "metrics", of)
        if before is None:
            data_keys, files = {one: repository.keys.new_data_key(one, Purpose.RESULT) for one in categories}, []
        else:
            files = [*before.files]
            wrapped = {one: before.keys[one.value] for one in categories}
            data_keys = {
                one: DataKey(repository.keys.unwrap(one, key, Purpose.RESULT), key) for one, key in wrapped.items()
            }
        for day in range(_STORED_BUCKETS) if is_first else (_STORED_BUCKETS,):
            rows = _metrics_of_day(series, day, has_shares=has_shares)
            label = f"{rows['bucket_start'][0].as_py():%Y%m%d}"
            files += write_rows(repository, names, rows.to_batches(), rows.schema, data_keys, period=f"{label}-{label}")
        result = commit_result(repository, names, files, data_keys, origin={}, parameters={})
        fits = scoring_settings({}, days=2, shard=0, shards=1)
        states = ModelStateStore(repository, f"stored{of}", str(is_first), fits)
        metrics = StoredMetrics.of(repository, result)

        def work() -> Mapping[str, Any]:
            given: dict[str, Any] = {"load_state": states.load, "keep_state": states.keep}
            scored = score_recent(metrics, method="robust", days=2, parameters={}, **given)
            assert scored.learned_until is not None
            assert is_first or scored.resumed == series
            states.save(scored.learned_until, {}, metrics=metrics.place)
            return {"scored": series * (_STORED_BUCKETS if is_first else 1)}

        return work

    return prepare


def _metrics_of_day(series: int, day: int, *, has_shares: bool) -> Any:
    """Make the metrics of one day."""
    import pyarrow as pa

    from airflow_provider_elementary.metrics import METRICS_SCHEMA

    made = _Made(series, day + 1, has_shares)
    batches = [batch for part in range(_PARTS) for batch in made.part(part, first_day=day)]
    return pa.Table.from_batches(batches, METRICS_SCHEMA).combine_chunks()


_Z_SCORES = """
SELECT full_table_name, metric_name, bucket_end, metric_value,
    avg(metric_value) OVER past AS average, stddev_samp(metric_value) OVER past AS deviation,
    (metric_value - average) / nullif(deviation, 0) AS score, abs(score) > 3 AS is_anomalous
FROM metrics
WINDOW past AS (
    PARTITION BY full_table_name, column_name, metric_name, dimension, dimension_value
    ORDER BY bucket_end RANGE BETWEEN INTERVAL 13 DAYS PRECEDING AND CURRENT ROW
)
"""


def _sql(metrics: Any, only: str = "") -> int:
    import duckdb

    connection = duckdb.connect()
    connection.register("metrics", metrics)
    return len(connection.sql(_Z_SCORES + only).to_arrow_table())


_NEW, _COLD = "one new bucket", f"cold replay of {_BUCKETS} buckets"
#: By name: what is done, with what, and what makes the work out of the number of series.
_WORKS: Mapping[str, tuple[str, str, Callable[[int, Path], Callable[[], Mapping[str, Any]]]]] = {
    "new-elementary": (_NEW, "method elementary, 14 buckets kept", _new_bucket_elementary),
    "new-sql": (_NEW, "z-scores by SQL in DuckDB, 14 buckets kept", _new_bucket_sql),
    "replay-elementary": (_COLD, "method elementary", _replay(_detect("elementary"))),
    "replay-robust": (_COLD, "method robust", _replay(_detect("robust"))),
    "replay-sql": (_COLD, "z-scores by SQL in DuckDB", _replay(_sql)),
    "stream-cold": (_COLD, "the operator's stream, method robust", _operator(_BUCKETS)),
    "stored-cold": (
        f"cold replay of {_STORED_BUCKETS} buckets",
        "the operator's reading of stored metrics, method robust",
        _stored(is_first=True),
    ),
    "stored-resumed": (_NEW, "the operator's reading of stored metrics, method robust", _stored(is_first=False)),
    "shares-cold": (
        f"cold replay of {_STORED_BUCKETS} buckets",
        "the same, half of the series shares of nulls",
        _stored(is_first=True, has_shares=True),
    ),
    "shares-resumed": (_NEW, "the same, half of the series shares of nulls", _stored(is_first=False, has_shares=True)),
    "stream-resumed": (
        _NEW,
        f"the operator's stream of {_BUCKETS + 1} buckets, method robust",
        _operator(_BUCKETS + 1),
    ),
}


def _statsforecast(python: str, series: int) -> None:
    """Fit AutoETS to a sample of series and forecast one bucket, in the interpreter that has the package."""
    finished = subprocess.run(
        [python, "-m", "tests.benchmarks.anomalies", str(_SAMPLE)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    if finished.returncode:
        print(f"\nstatsforecast is left out: {python} has it not (pip install statsforecast).")
        return
    seconds = float(finished.stdout.split()[-1]) * series / _SAMPLE
    each = f"{series / seconds:,.0f}"
    scaled = f"statsforecast AutoETS(7), {_SAMPLE} series scaled up"
    print(f"| {_NEW} | {scaled} | {seconds:,.0f} | | {each} | | |")
    print(f"| {_COLD} | {scaled}, a fit a bucket | {seconds * _BUCKETS:,.0f} | | {each} | | |")


def _fit_sample(series: int) -> None:
    import time

    import numpy as np
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    random = np.random.default_rng(1)
    day = np.arange(_BUCKETS)
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"t{number}",
                "ds": pd.date_range("2026-01-01", periods=_BUCKETS),
                "y": 1000 * (1 + 0.3 * np.sin(2 * np.pi * day / 7)) * np.exp(random.normal(0, 0.1, _BUCKETS)),
            }
        )
        for number in range(series)
    ]
    model = StatsForecast(models=[AutoETS(season_length=7)], freq="D", n_jobs=1)
    model.forecast(df=frames[0], h=1, level=[99])
    rows = pd.concat(frames)
    started = time.perf_counter()
    model.forecast(df=rows, h=1, level=[99])
    print(time.perf_counter() - started)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _fit_sample(int(sys.argv[1]))
    else:
        measured(_WORKS[sys.argv[1]][2](int(sys.argv[2]), Path(sys.argv[3])))

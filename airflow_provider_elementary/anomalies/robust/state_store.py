"""What the robust method remembers, sealed in the store between runs: found again where it fits, and let go of."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_elementary import __version__
from airflow_provider_elementary.anomalies.robust import Parameters, Remembered
from airflow_provider_elementary.anomalies.robust.series import RHYTHMS
from airflow_provider_elementary.anomalies.robust.state import FORMAT
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.snapshots import Keys, Store
from airflow_provider_elementary.storage.results import (
    Result,
    delete_result,
    find_result,
    previous_result,
    read_result,
    write_result,
)

log = logging.getLogger(__name__)

_BATCH_ROWS = 5_000


@dataclass(frozen=True)
class Memories:
    """The memories of one task, or of one of its shards; the two newest are kept.

    :param store: where they rest.
    :param keys: what they are sealed with.
    :param series: whose they are, from run to run.
    :param run_key: the run that looks for one; it goes on from those of other runs, however often it is tried.
    :param fits: how the run judges: a memory of any other way does not fit; see :func:`way_of_judging`.
    """

    store: Store
    keys: Keys
    series: str
    run_key: str
    fits: Mapping[str, Any]

    def recall(self) -> Remembered | None:
        """Return the newest memory that fits, or None, with a line in the log that says why."""
        for result in self._earlier():
            if result.parameters.get("fits") != self.fits:
                log.info("%s was learnt in another way: it does not fit", result.key)
                continue
            try:
                with read_result(self.store, self.keys, result.key) as rows:
                    return Remembered(rows.read_all(), int(result.parameters["until"]))
            except (ElementaryError, KeyError, ValueError) as error:
                log.warning("%s cannot be read and is passed over: %s", result.key, error)
        log.info("there is no memory to go on from: every series is replayed from its first bucket")
        return None

    def keep(self, remembered: Remembered, origin: Mapping[str, Any]) -> str:
        """Seal what the run remembers for the next one, and remove the memory before the last.

        :param origin: what it was learnt from.
        :return: its key in the store.
        """
        earlier = list(self._earlier())
        result = write_result(
            self.store,
            self.keys,
            "memories",
            remembered.series.to_reader(_BATCH_ROWS),
            run_key=self.run_key,
            origin=origin,
            parameters={
                "fits": self.fits,
                "until": remembered.until,
                "before": earlier[0].key if earlier else None,
            },
            series=self.series,
        )
        for old in earlier[1:]:
            delete_result(self.store, old.key)
        return result.key

    def _earlier(self) -> Iterator[Result]:
        """Yield the memory of the run before, and the one that it went on from."""
        try:
            if newest := previous_result(self.store, "memories", self.series, self.run_key):
                yield newest
                before = newest.parameters.get("before")
                if before and (older := find_result(self.store, before)):
                    yield older
        except ElementaryError as error:
            log.warning("an earlier memory is passed over: %s", error)


def way_of_judging(parameters: Mapping[str, Any], *, days: int, shard: int, shards: int) -> dict[str, Any]:
    """Return what two runs must have in common for one to go on from the memory of the other.

    :param parameters: of the robust method.
    :param days: how many days back are judged.
    :raises ConfigurationError: a parameter is unknown or does not fit.
    """
    model = {
        "format": FORMAT.decode(),
        "version": __version__,
        "parameters": asdict(Parameters.of(dict(parameters))),
        "rhythms": [asdict(rhythm) for rhythm in RHYTHMS],
    }
    text = json.dumps(model, sort_keys=True, default=str)
    return {"model": hashlib.sha256(text.encode()).hexdigest(), "days": days, "shard": shard, "shards": shards}

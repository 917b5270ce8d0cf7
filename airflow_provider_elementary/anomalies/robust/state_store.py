"""Loads and saves the detector's state."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_elementary import __version__
from airflow_provider_elementary.anomalies.robust import ModelState
from airflow_provider_elementary.anomalies.robust.scoring import split_parameters
from airflow_provider_elementary.anomalies.robust.series import FREQUENCIES
from airflow_provider_elementary.anomalies.robust.state import FORMAT
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.snapshots import Repository
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import (
    delete_result,
    find_result,
    previous_result,
    read_result,
    write_result,
)

log = logging.getLogger(__name__)

_BATCH_ROWS = 5_000


@dataclass(frozen=True)
class ModelStateStore:
    """The model states of one task, or of one of its shards; the two newest are kept.

    :param repository: where they are stored, encrypted.
    :param series: the task and shard whose states they are.
    :param run_key: the run that loads one; every attempt of it loads a state of another run.
    :param fits: the settings of the run: a state saved with other settings is ignored; see :func:`scoring_settings`.
    """

    repository: Repository
    series: str
    run_key: str
    fits: Mapping[str, Any]

    def load(self) -> ModelState | None:
        """Return the newest state that fits, or None, with a line in the log that says why."""
        for result in self._earlier():
            if result.parameters.get("fits") != self.fits:
                log.info("ignoring saved state %s: parameters changed", result.key)
                continue
            try:
                with read_result(self.repository, result.key) as rows:
                    return ModelState(rows.read_all(), int(result.parameters["until"]))
            except (ElementaryError, KeyError, ValueError) as error:
                log.warning("ignoring saved state %s: it cannot be read: %s", result.key, error)
        log.info("no saved state; replaying all series from the beginning")
        return None

    def save(self, state: ModelState, origin: Mapping[str, Any], *, known: int = 0) -> Result:
        """Encrypt and store the state for the next run, and remove all but the two newest.

        :param origin: the source that it was learned from.
        :param known: a number that the series had; those up to it are not given again.
        """
        earlier = list(self._earlier())
        result = write_result(
            self.repository,
            "memories",
            state.series.to_reader(_BATCH_ROWS),
            run_key=self.run_key,
            origin=origin,
            parameters={
                "fits": self.fits,
                "until": state.until,
                "before": earlier[0].key if earlier else None,
            },
            series=self.series,
            known=known,
        )
        for old in earlier[1:]:
            delete_result(self.repository, old.key)
        return result

    def _earlier(self) -> Iterator[Result]:
        """Yield the state of the run before, and the one that it resumed from."""
        try:
            if newest := previous_result(self.repository, "memories", self.series, self.run_key):
                yield newest
                before = newest.parameters.get("before")
                if before and (older := find_result(self.repository, before)):
                    yield older
        except ElementaryError as error:
            log.warning("ignoring an earlier state: %s", error)


def scoring_settings(parameters: Mapping[str, Any], *, days: int, shard: int, shards: int) -> dict[str, Any]:
    """Return what two runs must have in common for one to resume from the state of the other.

    :param parameters: of the robust method.
    :param days: how many days back are scored.
    :raises ConfigurationError: a parameter is unknown or does not fit.
    """
    model = {
        "format": FORMAT.decode(),
        "version": __version__,
        "parameters": asdict(split_parameters(parameters)[0]),
        "frequencies": [asdict(frequency) for frequency in FREQUENCIES],
    }
    text = json.dumps(model, sort_keys=True, default=str)
    return {"model": hashlib.sha256(text.encode()).hexdigest(), "days": days, "shard": shard, "shards": shards}

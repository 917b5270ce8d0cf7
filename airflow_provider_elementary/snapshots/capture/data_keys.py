"""Opens the data keys of a snapshot, or makes new ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.storage.keys import DataKey, Purpose, StoreKeys
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.warehouses.source import WarehouseSource

log = logging.getLogger(__name__)

# A reader of the samples sees raw values anyway; without that key, nobody can test guesses of hashed values.
HASH_CATEGORY = Category.FAILED_ROWS_SAMPLE


@dataclass(frozen=True, repr=False)
class OpenKeys:
    """The data key of each category, and the key of hashed columns, for as long as a snapshot is written."""

    of_categories: Mapping[Category, DataKey]
    of_hashes: DataKey | None


def open_keys(source: WarehouseSource, keys: StoreKeys, plan: Plan, policy: Policy) -> tuple[Plan, OpenKeys]:
    """Open the data keys of the snapshot before, or make new ones for a full snapshot.

    :return: the plan; that of a full snapshot where the earlier keys do not open or their master keys were replaced.
    :raises KeyUnavailableError: every master key is another than before, and none of the earlier ones is named.
    """
    categories = captured_categories(source, policy)
    if plan.parent is not None:
        _require_known_keys(keys, plan.parent)
    if plan.base is None:
        return plan, OpenKeys(_new_keys(keys, categories), _hash_key(keys, plan, policy))
    manifest = plan.base.manifest
    try:
        # A manifest has one data key for each category, so a new one means new files.
        refused = _rotated(keys, policy, manifest, categories)
        if refused is None:
            carried = {
                category: DataKey(plan.base.data_key(category), manifest.keys[category.value])
                for category in categories
                if category.value in manifest.keys
            }
            hash_key = _carried_hash_key(keys, policy, manifest)
            new = [category for category in categories if category not in carried]
            return plan, OpenKeys({**carried, **_new_keys(keys, new)}, hash_key)
    except KeyUnavailableError as error:
        refused = f"the keys do not open those of the snapshot before: {error}"
    return open_keys(source, keys, plan.full(refused), policy)


def captured_categories(source: WarehouseSource, policy: Policy) -> list[Category]:
    """Return the categories that a snapshot has keys for: those that are taken and that the source has tables of."""
    held = {category for name in source.tables() for category in TABLES[name].categories}
    return [category for category in policy.categories if category in held]


def _require_known_keys(keys: StoreKeys, manifest: Manifest) -> None:
    """Refuse keys that have nothing in common with those of the snapshot before: they were replaced by mistake."""
    before = {Category(name): wrapped for name, wrapped in manifest.keys.items()}
    refused: KeyUnavailableError | None = None
    for category, wrapped in before.items():
        try:
            if wrapped.master_key_id == keys.master_key_id(category, Purpose.SNAPSHOT):
                return
            keys.unwrap(category, wrapped, Purpose.SNAPSHOT)
            return
        except KeyUnavailableError as error:
            refused = error
    if refused is not None:
        named = ", ".join(category.label for category in before)
        raise KeyUnavailableError(
            f"All master keys differ from those of snapshot {manifest.snapshot_id} ({named}), and none opens it: they "
            "were replaced, as by a second `airflow-elementary keys generate`. Nothing was written. Put the earlier "
            "keys back; to replace them on purpose, name them beside the new ones (former_kms_key_ids, or a list of "
            "the new and the earlier key for each category)."
        ) from refused


def _rotated(keys: StoreKeys, policy: Policy, manifest: Manifest, categories: Sequence[Category]) -> str | None:
    """Return why the data keys of the snapshot before are not carried on, or None where their master keys still are."""
    moved = [
        category.label
        for category in categories
        if (wrapped := manifest.keys.get(category.value)) is not None
        and wrapped.master_key_id != keys.master_key_id(category, Purpose.SNAPSHOT)
    ]
    if policy.hashed_columns and manifest.hash_key is not None:
        now = keys.master_key_id(HASH_CATEGORY, Purpose.HASHED_COLUMNS)
        moved += ["hashed columns"] if manifest.hash_key.master_key_id != now else []
    return f"other master keys than the snapshot before, for {', '.join(moved)}" if moved else None


def _new_keys(keys: StoreKeys, categories: Sequence[Category]) -> dict[Category, DataKey]:
    new = partial(keys.new_data_key, purpose=Purpose.SNAPSHOT)
    return dict(zip(categories, in_parallel(new, categories), strict=True))


def _hash_key(keys: StoreKeys, plan: Plan, policy: Policy) -> DataKey | None:
    """Return the key of hashed columns; it outlives full snapshots and its master key, so that series continue."""
    if not policy.hashed_columns:
        return None
    carried = None
    try:
        carried = _carried_hash_key(keys, policy, plan.parent) if plan.parent is not None else None
    except KeyUnavailableError as error:
        log.warning("hash key cannot be unwrapped; hashed values change from this snapshot on: %s", error)
    if carried is None:
        return keys.new_data_key(HASH_CATEGORY, Purpose.HASHED_COLUMNS)
    if carried.wrapped.master_key_id == keys.master_key_id(HASH_CATEGORY, Purpose.HASHED_COLUMNS):
        return carried
    return keys.wrap(HASH_CATEGORY, carried.plaintext, Purpose.HASHED_COLUMNS)


def _carried_hash_key(keys: StoreKeys, policy: Policy, manifest: Manifest) -> DataKey | None:
    if not policy.hashed_columns or manifest.hash_key is None:
        return None
    return DataKey(keys.unwrap(HASH_CATEGORY, manifest.hash_key, Purpose.HASHED_COLUMNS), manifest.hash_key)

"""A master key that was replaced encrypts nothing from the next snapshot on; what it encrypted stays readable."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, Manifest, Policy, open_snapshot
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import Keys
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

Take = Callable[..., Manifest]

HASHING = Policy(failed_rows_days=100_000, hashed_columns=("dbt_models.name",))


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


@pytest.fixture
def take_with(rest: Rest, tmp_path: Path) -> Take:
    """Take a snapshot of the same world with these keys."""

    def taken(keys: Keys, **options: Any) -> Manifest:
        return take(Rest(rest.store, keys, rest.folder), tmp_path / "warehouse.duckdb", world_after(4), **options)

    return taken


def masters(manifest: Manifest) -> dict[str, str]:
    return {category: wrapped.master_key_id for category, wrapped in manifest.keys.items()}


def writers(manifest: Manifest) -> set[str]:
    return {file.snapshot_id for file in manifest.files}


def names(rest: Rest, keys: Keys, snapshot: str = "latest") -> list[str]:
    found: list[str] = read_all(open_snapshot(opened(rest.store, keys), snapshot), "dbt_models", ["name"])[
        "name"
    ].to_pylist()
    return sorted(found)


class TestLocalKeys:
    def test_with_the_same_keys_the_data_keys_are_carried_on(self, rest: Rest, take_with: Take) -> None:
        first, second = (take_with(rest.keys) for _ in range(2))

        assert (second.kind, second.keys) == ("incremental", first.keys)

    def test_keys_that_have_nothing_in_common_with_the_earlier_ones_stop_the_sync(
        self, rest: Rest, take_with: Take
    ) -> None:
        first = take_with(rest.keys)
        objects = [found.key for found in rest.store.list("")]

        with pytest.raises(KeyUnavailableError, match="All master keys differ from those of snapshot") as stopped:
            take_with(LocalKeys(LocalKeys.generate()))

        assert first.snapshot_id in str(stopped.value)
        assert [found.key for found in rest.store.list("")] == objects

    def test_fresh_keys_before_the_earlier_ones_have_everything_encrypted_again(
        self, rest: Rest, take_with: Take
    ) -> None:
        earlier, later = LocalKeys.generate(), LocalKeys.generate()
        first = take_with(LocalKeys(earlier))
        fresh = LocalKeys({name: [later[name], earlier[name]] for name in later})

        second = take_with(fresh)

        assert second.kind == "full"
        assert str(second.reason).startswith("other master keys than the snapshot before, for Metadata, Configuration")
        assert writers(second) == {second.snapshot_id}
        assert names(rest, LocalKeys(later)) == names(rest, fresh, first.snapshot_id)

    def test_one_key_of_many_is_enough(self, rest: Rest, take_with: Take) -> None:
        before = LocalKeys.generate()
        after = {**before, "table_metrics": LocalKeys.generate()["table_metrics"]}
        first = take_with(LocalKeys(before))

        second = take_with(LocalKeys(after))

        assert second.reason == "other master keys than the snapshot before, for Table metrics"
        assert {name for name, key in masters(second).items() if key != masters(first)[name]} == {"table_metrics"}

    def test_a_key_of_a_category_that_is_not_taken_changes_nothing(self, rest: Rest, take_with: Take) -> None:
        before = LocalKeys.generate()
        take_with(LocalKeys(before))

        second = take_with(LocalKeys({**before, "query_logs": LocalKeys.generate()["query_logs"]}))

        assert second.kind == "incremental"

    def test_hashed_values_change_with_a_key_that_does_not_open_the_old_one(self, rest: Rest, take_with: Take) -> None:
        before = LocalKeys.generate()
        first = take_with(LocalKeys(before), policy=HASHING)
        fresh = LocalKeys({**before, "failed_rows_sample": LocalKeys.generate()["failed_rows_sample"]})

        second = take_with(fresh, policy=HASHING)

        assert second.reason == "other master keys than the snapshot before, for Failed rows sample, hashed columns"
        assert names(rest, fresh) != names(rest, LocalKeys(before), first.snapshot_id)


class TestKms:
    def test_a_key_named_in_any_way_is_the_same_key(self, aws_server: AwsServer, take_with: Take) -> None:
        client = aws_server.client("kms")
        arn = aws_server.create_key(alias := f"same-{uuid.uuid4().hex}")
        take_with(KmsKeys(client, arn))

        by_others = [take_with(KmsKeys(client, name)) for name in (arn.rpartition("/")[2], f"alias/{alias}", arn)]

        assert [manifest.reason for manifest in by_others] == [None, None, None]

    def test_an_alias_that_leads_to_another_key_has_everything_encrypted_again(
        self, aws_server: AwsServer, rest: Rest, take_with: Take
    ) -> None:
        client = aws_server.client("kms")
        old = aws_server.create_key(alias := f"moved-{uuid.uuid4().hex}")
        new = aws_server.create_key()
        keys = KmsKeys(client, f"alias/{alias}")
        first = take_with(keys)
        client.update_alias(AliasName=f"alias/{alias}", TargetKeyId=new)
        keys = KmsKeys(client, f"alias/{alias}", [old])

        second = take_with(keys)

        assert second.kind == "full"
        assert (set(masters(first).values()), set(masters(second).values())) == ({old}, {new})
        assert names(rest, keys, first.snapshot_id) == names(rest, keys)

    def test_a_key_of_its_own_for_a_category_takes_effect_at_once(self, aws_server: AwsServer, take_with: Take) -> None:
        client, old, own = aws_server.client("kms"), aws_server.create_key(), aws_server.create_key()
        take_with(KmsKeys(client, old))

        second = take_with(KmsKeys(client, {**dict.fromkeys(Category, old), "failed_rows_sample": own}))

        assert second.reason == "other master keys than the snapshot before, for Failed rows sample"
        assert masters(second)["failed_rows_sample"] == own

    def test_an_earlier_key_that_is_not_named_is_not_asked(
        self, aws_server: AwsServer, rest: Rest, take_with: Take
    ) -> None:
        client, old, new = aws_server.client("kms"), aws_server.create_key(), aws_server.create_key()
        first = take_with(KmsKeys(client, old))

        with pytest.raises(KeyUnavailableError, match="does not name that KMS key"):
            names(rest, KmsKeys(client, new), first.snapshot_id)

    def test_from_local_keys_to_kms_takes_a_new_store(self, aws_server: AwsServer, rest: Rest, take_with: Take) -> None:
        take_with(rest.keys)

        with pytest.raises(KeyUnavailableError, match="All master keys differ"):
            take_with(KmsKeys(aws_server.client("kms"), aws_server.create_key()))

    def test_hashed_values_go_on_under_the_new_key(self, aws_server: AwsServer, rest: Rest, take_with: Take) -> None:
        client, old, new = aws_server.client("kms"), aws_server.create_key(), aws_server.create_key()
        first = take_with(KmsKeys(client, old), policy=HASHING)

        second = take_with(KmsKeys(client, new, [old]), policy=HASHING)

        assert second.hash_key is not None
        assert second.hash_key.master_key_id == new
        assert names(rest, KmsKeys(client, new)) == names(rest, KmsKeys(client, old), first.snapshot_id)

    def test_a_category_without_a_key_is_an_error(self, aws_server: AwsServer, take_with: Take) -> None:
        client, key = aws_server.client("kms"), aws_server.create_key()
        take_with(KmsKeys(client, key))

        with pytest.raises(KeyUnavailableError, match="No KMS key for Metadata"):
            take_with(KmsKeys(client, {"table_metrics": key}))

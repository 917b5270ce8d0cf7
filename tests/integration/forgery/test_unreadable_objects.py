"""An object that the storage does not give out, as an archived one, stops no reader and is named to a writer."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots import find_manifest
from airflow_provider_elementary.snapshots.chain import Damage, read_chain, require_intact_chain
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import index_key, manifest_key, record_key, signer_key
from airflow_provider_elementary.storage.object_store.store import Fetched
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.records.report_log import newest_reports, record
from tests.integration.forgery.test_results import REPORT
from tests.support.counting_store import CountingStore, SyntheticChain
from tests.support.signing import opened

HEAD = 17


class ArchivingStore(CountingStore):
    """Lists some objects that it does not give out."""

    def __init__(self) -> None:
        super().__init__()
        self.archived: set[str] = set()

    def archive(self, *names: str) -> None:
        for name in names:
            self.put_if_absent(name, b"whatever it is")
        self.archived.update(names)

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        if key in self.archived:
            raise StoreRefusedError(f"{key} in {self.uri} is archived. Restore or remove it.")
        return super().get_capped(key, limit)


@pytest.fixture(scope="module")
def grown() -> SyntheticChain:
    chain = SyntheticChain(CountingStore())
    chain.grow(HEAD)
    return chain


@pytest.fixture
def chain(grown: SyntheticChain) -> SyntheticChain:
    store = ArchivingStore()
    for name, content in grown.store.objects.items():
        store.put(name, content)
    return SyntheticChain(store, grown.newest, grown.syncs)


def archive(chain: SyntheticChain, *names: str) -> None:
    assert isinstance(chain.store, ArchivingStore)
    chain.store.archive(*names)


def test_after_the_newest_snapshot_it_is_passed_over_by_readers(chain: SyntheticChain) -> None:
    archive(chain, manifest_key(HEAD + 1))

    assert find_manifest(chain.repository()).sequence == HEAD
    assert require_intact_chain(chain.repository()) == ()
    [finding] = read_chain(chain.repository()).findings
    assert (finding.damage, finding.object, finding.needs_key) == (Damage.UNREADABLE, manifest_key(HEAD + 1), True)


def test_verify_says_that_it_is_not_known(chain: SyntheticChain) -> None:
    archive(chain, manifest_key(HEAD + 1))

    report = verify(opened(chain.store), snapshot=f"{find_manifest(chain.repository()).snapshot_id}")

    assert Outcome.CANNOT_TELL.exit_status == 3
    assert any(found.needs_key and found.object == manifest_key(HEAD + 1) for found in report.findings)


def test_in_the_next_place_it_stops_the_writer_by_name_until_it_is_removed(
    chain: SyntheticChain,
) -> None:
    archive(chain, manifest_key(HEAD + 1))

    with pytest.raises(StoreRefusedError, match=r"manifests/0000000018 .* is archived"):
        chain.commit(chain.repository())

    assert isinstance(chain.store, ArchivingStore)
    chain.store.archived.clear()
    chain.store.delete(manifest_key(HEAD + 1))
    assert chain.commit(chain.repository()).sequence == HEAD + 1


def test_a_reader_who_may_read_no_manifest_gets_an_error(chain: SyntheticChain) -> None:
    archive(chain, *(manifest_key(number) for number in range(1, HEAD + 1)))

    with pytest.raises(StoreRefusedError, match="is archived"):
        find_manifest(chain.repository())


@pytest.mark.parametrize("name", [signer_key(1), record_key(1), index_key(16, 0), index_key(16, 7)])
def test_in_other_places_it_stops_nobody(name: str, chain: SyntheticChain) -> None:
    archive(chain, name)

    assert find_manifest(chain.repository()).sequence == HEAD
    assert chain.commit(chain.repository()).sequence == HEAD + 1


def test_before_the_newest_report_it_is_passed_over() -> None:
    store = ArchivingStore()
    record(opened(store), REPORT, subject="dwh", run_key="first")
    store.archive("access/dwh/9999999990")

    assert newest_reports(opened(store), 1)

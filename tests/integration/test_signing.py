"""Manifests and prune records are signed as they are written, with a key of KMS over TLS; verifying asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError, StoreError
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Repository
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.retention import Retention
from airflow_provider_elementary.snapshots.verify import VerifyReport, verify
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.signatures import AnyOf, KeysSigner, KmsSigner, read_signature, sign_object
from tests.servers.faulty import FaultyAws, faulty_aws, refuses
from tests.support.connections import duckdb_file, local_store
from tests.support.datasets import small_world, write_duckdb
from tests.support.stores import Rest, copied, grow, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates

Connect = Callable[[str, Mapping[str, object]], str]

MASTER_KEYS = LocalKeys.generate()
HASTY = Config(retries={"mode": "standard", "max_attempts": 2})


@pytest.fixture(scope="module")
def proxy(aws_server: AwsServer, certificates: Certificates) -> Iterator[FaultyAws]:
    with faulty_aws(aws_server, certificates) as faulty:
        yield faulty


@pytest.fixture
def faulty(proxy: FaultyAws) -> Iterator[FaultyAws]:
    yield proxy
    proxy.heal()


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Rest:
    directory = tmp_path_factory.mktemp("unsigned")
    made = local_rest(directory)
    rest = Rest(made.store, LocalKeys(MASTER_KEYS), made.folder)
    grow(rest, directory, [3, 4, 5])
    return rest


@pytest.fixture
def rest(unsigned: Rest, tmp_path: Path) -> Rest:
    return copied(unsigned, tmp_path)


def new_key(server: AwsServer, usage: str = "SIGN_VERIFY") -> str:
    spec = {"SIGN_VERIFY": "ECC_NIST_P256", "GENERATE_VERIFY_MAC": "HMAC_256"}[usage]
    return str(server.client("kms").create_key(KeyUsage=usage, KeySpec=spec)["KeyMetadata"]["Arn"])


def found(report: VerifyReport) -> set[tuple[str, str]]:
    return {(finding.damage.value, finding.object) for finding in report.findings}


class TestASignedSnapshot:
    @pytest.fixture
    def empty(self, tmp_path: Path) -> Rest:
        return local_rest(tmp_path / "signed")

    @pytest.fixture
    def signer(self, faulty: FaultyAws) -> KmsSigner:
        return KmsSigner(faulty.server.client("kms", config=HASTY), new_key(faulty.behind))

    @pytest.fixture
    def take_signed(self, empty: Rest, signer: KmsSigner, tmp_path: Path) -> Callable[..., Manifest]:
        def taken(**options: Any) -> Manifest:
            return take(empty, tmp_path / "warehouse.duckdb", world_after(3), signer=signer, **options)

        return taken

    def test_it_verifies_with_the_key(
        self, empty: Rest, signer: KmsSigner, take_signed: Callable[..., Manifest]
    ) -> None:
        take_signed()
        take_signed()

        report = verify(Repository(empty.store, empty.keys, signer=signer), snapshot="all")

        assert (report.findings, report.notes, report.manifests) == ((), (), 2)

    def test_one_that_was_put_there_by_somebody_else_does_not(
        self, empty: Rest, signer: KmsSigner, take_signed: Callable[..., Manifest], tmp_path: Path
    ) -> None:
        take_signed()
        take(empty, tmp_path / "warehouse.duckdb", world_after(4))

        report = verify(Repository(empty.store, empty.keys, signer=signer))

        assert found(report) == {("unproved", manifest_key(2))}
        assert "Not signed." in report.findings[0].detail

    def test_a_signature_of_another_manifest_proves_nothing(
        self, empty: Rest, signer: KmsSigner, take_signed: Callable[..., Manifest]
    ) -> None:
        take_signed()
        take_signed()
        theirs, ours = (empty.path(f"signatures/{manifest_key(number)}") for number in (1, 2))
        theirs.write_bytes(ours.read_bytes())

        report = verify(Repository(empty.store, empty.keys, signer=signer))

        assert found(report) == {("unproved", manifest_key(1))}
        assert "is invalid" in report.findings[0].detail

    def test_a_key_that_is_refused_is_refused_before_the_first_read(
        self, faulty: FaultyAws, empty: Rest, take_signed: Callable[..., Manifest]
    ) -> None:
        faulty.plan(refuses(400, "AccessDeniedException"), "Sign")

        with pytest.raises(KeyUnavailableError, match="refused sign: AccessDeniedException"):
            take_signed()

        assert list(empty.store.list("")) == []

    def test_a_retry_signs_what_was_committed_without_a_signature(
        self, faulty: FaultyAws, empty: Rest, signer: KmsSigner, take_signed: Callable[..., Manifest]
    ) -> None:
        faulty.plan(refuses(400, "ThrottlingException"), "Sign", skip=1)
        with pytest.raises(StoreError, match="a snapshot that was committed without its signature is signed then"):
            take_signed(run_key="one run")
        unsigned = read_signature(empty.store, manifest_key(1))
        faulty.heal()

        again = take_signed(run_key="one run")

        assert unsigned is None
        assert again.sequence == 1
        assert verify(Repository(empty.store, empty.keys, signer=signer)).findings == ()

    def test_what_prune_records_is_signed_by_the_same_key(
        self, empty: Rest, signer: KmsSigner, take_signed: Callable[..., Manifest]
    ) -> None:
        take_signed()
        take_signed(full_every_days=0)

        report = prune(Repository(empty.store, signer=signer), Retention(keep_last=1))

        assert len(report.removed) == 1
        assert verify(Repository(empty.store, empty.keys, signer=signer)).findings == ()


class TestSigningWhatIsThere:
    @pytest.mark.parametrize("usage", ["SIGN_VERIFY", "GENERATE_VERIFY_MAC"])
    def test_signing_begins_on_a_store_that_holds_snapshots(
        self, rest: Rest, aws_server: AwsServer, usage: str
    ) -> None:
        signer = KmsSigner(aws_server.client("kms"), new_key(aws_server, usage))
        before = verify(Repository(rest.store, rest.keys, signer=signer))

        signed = Repository(rest.store, signer=signer).sign()

        assert found(before) == {("unproved", manifest_key(number)) for number in (1, 2, 3)}
        assert signed == [manifest_key(number) for number in (1, 2, 3)]
        assert verify(Repository(rest.store, rest.keys, signer=signer)).findings == ()

    def test_one_key_takes_the_place_of_another_while_verify_takes_both(
        self, rest: Rest, aws_server: AwsServer, tmp_path: Path
    ) -> None:
        kms = aws_server.client("kms")
        old, new = KmsSigner(kms, new_key(aws_server)), KmsSigner(kms, new_key(aws_server, "GENERATE_VERIFY_MAC"))
        both = AnyOf([old, new])
        Repository(rest.store, signer=old).sign()
        take(rest, tmp_path / "warehouse.duckdb", world_after(6), signer=new)

        while_it_changes = verify(Repository(rest.store, rest.keys, signer=both))
        too_early = verify(Repository(rest.store, rest.keys, signer=new))
        Repository(rest.store, signer=new).sign()

        assert while_it_changes.findings == ()
        assert found(too_early) == {("unproved", manifest_key(number)) for number in (1, 2, 3)}
        assert verify(Repository(rest.store, rest.keys, signer=new)).findings == ()

    def test_a_key_that_is_neither_proves_nothing(self, rest: Rest, aws_server: AwsServer) -> None:
        kms = aws_server.client("kms")
        Repository(rest.store, signer=KmsSigner(kms, new_key(aws_server))).sign()
        others = AnyOf([KmsSigner(kms, new_key(aws_server)), KmsSigner(kms, new_key(aws_server))])

        report = verify(Repository(rest.store, rest.keys, signer=others))

        assert found(report) == {("unproved", manifest_key(number)) for number in (1, 2, 3)}

    def test_a_key_that_is_gone_matters_only_where_the_other_did_not_sign(
        self, rest: Rest, aws_server: AwsServer
    ) -> None:
        kms = aws_server.client("kms")
        gone, there = KmsSigner(kms, "alias/gone"), KmsSigner(kms, new_key(aws_server))
        Repository(rest.store, signer=there).sign()
        rest.store.delete(f"signatures/{manifest_key(1)}")
        sign_object(rest.store, manifest_key(1), "0" * 64, there)

        report = verify(Repository(rest.store, rest.keys, signer=AnyOf([gone, there])))

        assert found(report) == {("unproved", manifest_key(1))}
        assert "KMS key alias/gone refused" in report.findings[0].detail

    def test_another_master_key_signs_what_the_old_one_recorded(self, rest: Rest) -> None:
        prune(rest.repository, Retention(keep_last=1))
        new = KeysSigner(LocalKeys(LocalKeys.generate()))
        before = verify(Repository(rest.store, signer=new))

        Repository(rest.store, signer=new).sign()

        assert ("unproved", "prunes/0000000001.json") in found(before)
        assert verify(Repository(rest.store, signer=new)).findings == ()

    def test_a_chain_that_does_not_hold_is_not_signed(self, rest: Rest) -> None:
        rest.store.delete(manifest_key(2))

        with pytest.raises(SnapshotCorruptError, match=r"nothing was signed: manifests/0000000002\.json is missing"):
            Repository(rest.store, signer=KeysSigner(rest.keys)).sign()

        assert list(rest.store.list("signatures/")) == []


def test_on_the_command_line_a_snapshot_is_taken_signed_pruned_and_verified(
    rest: Rest,
    aws_server: AwsServer,
    tmp_path: Path,
    airflow_connection: Connect,
    capsys: pytest.CaptureFixture[str],
) -> None:
    warehouse = duckdb_file(write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb"))
    airflow_connection("warehouse", warehouse)
    airflow_connection("aws", aws_server.airflow_connection())
    old, new = new_key(aws_server), new_key(aws_server)
    for name, signing in {"by_old": old, "by_both": f"{new}, {old}"}.items():
        facts = {"aws_conn_id": "aws", "signing_kms_key_id": signing}
        airflow_connection(name, local_store(rest.store.uri, MASTER_KEYS, **facts))
    by_old, by_both = (["--store-conn-id", name] for name in ("by_old", "by_both"))

    statuses = [
        main(["snapshot", "take", "--conn-id", "warehouse", *by_old]),
        main(["snapshot", "verify", *by_old]),
        main(["snapshot", "sign", *by_old]),
        main(["snapshot", "prune", "--keep-last", "2", *by_old]),
        main(["snapshot", "verify", "--snapshot", "all", *by_both]),
    ]

    printed = capsys.readouterr()
    assert statuses == [0, 1, 0, 0, 0], printed.err
    assert "anchor: 4:" in printed.out
    assert "signed 4 manifests and prune records" in printed.out
    assert "2 manifests, 2 pruned" in printed.out

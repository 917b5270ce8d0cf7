"""Nothing secret gets out: the example DAG with all connections in AWS Secrets Manager, in good runs and in bad ones.

One process runs them all, with Airflow's own ``dag.test()``, which masks nothing that is printed. Then everything that
remains is searched: what was printed, all files of Airflow's home (its database with XComs and rendered
templates among them), every object on S3 and every file of the local store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys
from tests.servers import free_port
from tests.support.connections import local_store, postgres_reader, s3_store
from tests.support.datasets import write_postgres
from tests.support.little_project import FAILED_ROW_VALUE, SECRET_VAR, small_world
from tests.support.planted_secrets import create_user, found_in, private_key, snowflake_by_key

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

ROOT = Path(__file__).parents[2]
PREFIX = "airflow/connections"
DAG_ID = "elementary_observability"
TASKS = ("check_access", "snapshot", "metrics", "anomalies", "summary", "maintain")

PASSWORD = "PLANTED/pass:word@1%21"
WRONG_PASSWORD = "PLANTED/wrong:word@2%21"
DSN_PASSWORD = "PLANTED-in-a-dsn"
PASSPHRASE = "PLANTED-passphrase"
WRONG_PASSPHRASE = "PLANTED-wrong-passphrase"
BROKEN_KEY = "PLANTED-broken-key"
BROKEN_MASTER_KEY = "PLANTED-broken-master-key"

#: How each run goes: the task that fails and what its error begins with; None where all succeed.
RUNS: dict[str, tuple[str, str] | None] = {
    "PostgreSQL to S3": None,
    "Snowflake by key pair to a local store": None,
    "wrong password": ("check_access", "the server refused user"),
    "unreachable host": ("check_access", "nothing accepts connections there"),
    "DSN in the host field": ("check_access", "a host that is no plain name"),
    "wrong passphrase": ("check_access", "the private key of the connection cannot be opened"),
    "broken private key": ("check_access", "the private key of the connection cannot be opened"),
    "wrong schema": ("check_access", "Schema 'no_such_schema' does not exist"),
    "missing KMS key": ("snapshot", "KMS key alias/no-such-key did not make a data key"),
    "store denied": ("snapshot", "Access to "),
    "broken master key": ("snapshot", "The master key of "),
}

_RUN_ALL = """
import json, sys
from pathlib import Path
from airflow.utils import db
from tests.support.dag_runs import run_dag

db.initdb()
states = {}
for name, dag_id, conf in json.loads(Path(sys.argv[1]).read_text()):
    print(f"=== {name} ===", flush=True)
    states[name] = dict(run_dag(dag_id, conf).states)
Path(sys.argv[2]).write_text(json.dumps(states))
"""

pytestmark = pytest.mark.dag


@dataclass(frozen=True)
class Planted:
    """What the runs know and nobody else may.

    :param connections: by id, as the secrets backend holds them; those of the stores come with the runs.
    :param master_keys: of the local store.
    :param secrets: by what they are.
    """

    connections: Mapping[str, dict[str, Any]]
    master_keys: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True)
class Remains:
    """What remains of the runs.

    :param states: of each run's tasks.
    :param printed: by each run.
    :param content: all that can be searched, by where it was found.
    """

    states: Mapping[str, Mapping[str, str]]
    printed: Mapping[str, str]
    content: Mapping[str, bytes]


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"secrets_{uuid.uuid4().hex[:8]}"
    postgres_server.create_database(name)
    write_postgres(small_world(), postgres_server, name)
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def planted(
    postgres_server: PostgresServer, snowflake_server: SnowflakeServer, aws_server: AwsServer, database: str
) -> Planted:
    # Tests that ran before in this process may have left secrets and users of the same names.
    aws_server.reset()
    postgres = {**postgres_reader(postgres_server, database), "password": PASSWORD}
    postgres_server.execute(f"ALTER ROLE \"{postgres['login']}\" PASSWORD '{PASSWORD}'")
    key = private_key(PASSPHRASE)
    snowflake = snowflake_by_key(snowflake_server, key, PASSPHRASE)
    writer = create_user(aws_server, "writer", ["s3:*", "kms:*"])
    nobody = create_user(aws_server, "nobody", ["kms:*"])
    master_keys = LocalKeys.generate()
    unreachable = {**postgres, "port": free_port()}
    wrong_schema = {**postgres, "extra": {**postgres["extra"], "elementary_schema": "no_such_schema"}}
    dsn = f"postgresql://reader:{DSN_PASSWORD}@{postgres['host']}/dwh"
    return Planted(
        connections={
            "elementary_postgres": postgres,
            "elementary_snowflake": snowflake,
            "elementary_wrong_password": {**postgres, "password": WRONG_PASSWORD},
            "elementary_unreachable": unreachable,
            "elementary_wrong_schema": wrong_schema,
            "elementary_dsn": {**postgres, "host": dsn},
            "elementary_passphrase": {**snowflake, "password": WRONG_PASSPHRASE},
            "elementary_broken": {**snowflake, "extra": {**snowflake["extra"], "private_key_content": BROKEN_KEY}},
            "elementary_aws": aws_server.airflow_connection(*writer),
            "elementary_aws_denied": aws_server.airflow_connection(*nobody),
        },
        master_keys=master_keys,
        secrets={
            "password": PASSWORD,
            "wrong password": WRONG_PASSWORD,
            "password in a DSN": DSN_PASSWORD,
            "passphrase": PASSPHRASE,
            "wrong passphrase": WRONG_PASSPHRASE,
            "broken private key": BROKEN_KEY,
            **{f"line {n} of the private key": line for n, line in enumerate(key.split("\n")[1:-2])},
            "AWS secret": writer[1],
            "AWS secret of the denied": nobody[1],
            **{f"master key of {category}": value for category, value in master_keys.items()},
            "broken master key": BROKEN_MASTER_KEY,
            "dbt var": SECRET_VAR,
            "failed row": FAILED_ROW_VALUE,
        },
    )


@pytest.fixture(scope="module")
def remains(
    planted: Planted, aws_server: AwsServer, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Remains:
    folder = tmp_path_factory.mktemp("secret_runs")
    bucket, kms_key_id = aws_server.create_bucket(), aws_server.create_key()
    stores = store_connections(aws_server, f"s3://{bucket}/elementary", kms_key_id, folder, planted.master_keys)
    for conn_id, connection in {**planted.connections, **stores}.items():
        aws_server.client("secretsmanager").create_secret(
            Name=f"{PREFIX}/{conn_id}", SecretString=json.dumps(connection), KmsKeyId=kms_key_id
        )
    backend = create_user(aws_server, "backend", ["secretsmanager:GetSecretValue", "kms:Decrypt"])
    runs = [(name, DAG_ID, conf) for name, conf in forms().items()]
    (folder / "runs.json").write_text(json.dumps(runs))
    with aws_server.enforcing():
        finished = subprocess.run(
            [sys.executable, "-c", _RUN_ALL, str(folder / "runs.json"), str(folder / "states.json")],
            env=environment(aws_server, certificates, folder / "home", backend),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr[-4000:]
    client = aws_server.client("s3")
    objects = [found["Key"] for found in client.list_objects_v2(Bucket=bucket)["Contents"]]
    files = [path for place in ("home", "store") for path in (folder / place).rglob("*") if path.is_file()]
    return Remains(
        states=json.loads((folder / "states.json").read_text()),
        printed={
            part.partition(" ===\n")[0]: part.partition(" ===\n")[2] for part in finished.stdout.split("=== ") if part
        },
        content={
            "stdout": finished.stdout.encode(),
            "stderr": finished.stderr.encode(),
            **{str(path.relative_to(folder)): path.read_bytes() for path in files},
            **{f"s3:{key}": client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in objects},
        },
    )


def store_connections(
    aws_server: AwsServer, uri: str, kms_key_id: str, folder: Path, master_keys: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the connections of the stores."""
    local, aws = (folder / "store").as_uri(), {"aws_conn_id": "elementary_aws"}
    return {
        "elementary_store_s3": s3_store(aws_server, uri, kms_key_id, **aws),
        # A store of its own: an increment of an earlier snapshot would use that one's data keys.
        "elementary_store_no_key": s3_store(aws_server, f"{uri}-of-no-key", "alias/no-such-key", **aws),
        "elementary_store_denied": s3_store(aws_server, uri, kms_key_id, aws_conn_id="elementary_aws_denied"),
        "elementary_store_local": local_store(local, master_keys),
        "elementary_store_broken": local_store(local, {**master_keys, "metadata": BROKEN_MASTER_KEY}),
    }


def forms() -> dict[str, dict[str, Any]]:
    """Return what a person puts into the form, by run; every field, since Airflow keeps those of earlier runs."""

    def form(warehouse: str = "postgres", store: str = "s3") -> dict[str, Any]:
        return {"elementary_conn_id": f"elementary_{warehouse}", "store_conn_id": f"elementary_store_{store}"}

    return {
        "PostgreSQL to S3": form(),
        "Snowflake by key pair to a local store": form("snowflake", "local"),
        "wrong password": form("wrong_password"),
        "unreachable host": form("unreachable"),
        "DSN in the host field": form("dsn"),
        "wrong passphrase": form("passphrase"),
        "broken private key": form("broken"),
        "wrong schema": form("wrong_schema"),
        "missing KMS key": form(store="no_key"),
        "store denied": form(store="denied"),
        "broken master key": form("snowflake", "broken"),
    }


def environment(
    aws_server: AwsServer, certificates: Certificates, home: Path, backend: tuple[str, str]
) -> dict[str, str]:
    """Return the environment of a deployment that knows no connection but by its secrets backend."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    backend_kwargs = {
        "connections_prefix": PREFIX,
        "connections_lookup_pattern": "^elementary",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": aws_server.region,
        "endpoint_url": aws_server.endpoint_url,
        "verify": str(aws_server.ca),
    }
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__SECRETS__BACKEND": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(backend_kwargs),
        "AWS_ACCESS_KEY_ID": backend[0],
        "AWS_SECRET_ACCESS_KEY": backend[1],
        "REQUESTS_CA_BUNDLE": str(certificates.bundle),
    }


@pytest.mark.parametrize("run", [name for name, failure in RUNS.items() if failure is None])
def test_a_run_with_all_connections_in_secrets_manager_succeeds(run: str, remains: Remains) -> None:
    assert remains.states[run] == dict.fromkeys(TASKS, "success") | {"alerts": "skipped"}


@pytest.mark.parametrize(
    ("run", "task", "message"), [(name, *failure) for name, failure in RUNS.items() if failure is not None]
)
def test_a_run_that_cannot_succeed_fails_where_it_should_and_says_why(
    run: str, task: str, message: str, remains: Remains
) -> None:
    assert remains.states[run][task] == "failed"
    assert message in remains.printed[run]


def test_no_planted_secret_is_left_behind(planted: Planted, remains: Remains) -> None:
    assert found_in(remains.content, planted.secrets) == set()


def test_the_search_covers_xcoms_templates_manifests_and_results(remains: Remains) -> None:
    database = remains.content["home/airflow.db"]

    assert b"manifest_sha256" in database
    assert b"elementary_wrong_password" in database
    assert any(
        b"reads-outside-schema" in content
        for where, content in remains.content.items()
        if where.startswith("s3:elementary/")
    )
    assert {where.split("/")[1] for where in remains.content if where.startswith(("s3:", "store/"))} >= {
        "manifests",
        "results",
    }


def test_the_search_finds_what_is_there(planted: Planted) -> None:
    leaked = {"log": f"postgresql://reader:{quote(PASSWORD, safe='')}@localhost/dwh".encode()}

    assert found_in(leaked, planted.secrets) == {("log", "password")}


@pytest.mark.parametrize(
    "conn_id",
    [
        "elementary_wrong_password",
        "elementary_unreachable",
        "elementary_dsn",
        "elementary_passphrase",
        "elementary_broken",
    ],
)
class TestAConnectionThatDoesNotLetIn:
    @pytest.fixture
    def hook(self, conn_id: str, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> ElementaryHook:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(planted.connections[conn_id]))
        return ElementaryHook(conn_id)

    def test_the_test_button_shows_no_secret(self, hook: ElementaryHook, planted: Planted) -> None:
        works, message = hook.test_connection()

        assert not works
        assert found_in({"message": message.encode()}, planted.secrets) == set()

    def test_no_frame_of_the_traceback_holds_a_secret(self, hook: ElementaryHook, planted: Planted) -> None:
        with pytest.raises(ElementaryError) as refusal:
            hook.source()

        shown = traceback.TracebackException.from_exception(refusal.value, capture_locals=True)
        outside_this_test = [str(frame) + str(frame.locals) for frame in shown.stack[1:]]
        chained = [refusal.value.__cause__, refusal.value.__context__]
        assert found_in({"frames": "".join(outside_this_test).encode()}, planted.secrets) == set()
        assert chained == [None, None]


def test_a_connection_shows_no_secret_when_it_is_printed(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PRINTED", json.dumps(planted.connections["elementary_snowflake"]))
    hook = ElementaryHook("printed")

    with suppress(ElementaryError):
        hook.source().close()

    assert repr(hook.connection) == "<snowflake connection 'printed'>"

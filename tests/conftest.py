"""Sets Airflow's environment for tests, and defines the fixtures of servers."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared"

#: Variables of a person's terminal and set-up. Tests do not see them, so that they give the same result everywhere.
_OF_THE_CALLER = re.compile(
    r"(COLUMNS|LINES|NO_COLOR|COLORTERM|(CLI|PY_)?(FORCE_)?COLORS?(_FORCE)?|TTY_(COMPATIBLE|INTERACTIVE)|_?AIRFLOW_.*|PG[A-Z]+"
    r"|AWS_(?!CA_BUNDLE).*|SNOWFLAKE_.*)"
)
for _name in [name for name in os.environ if _OF_THE_CALLER.fullmatch(name)]:
    del os.environ[_name]
os.environ.update(
    TERM="xterm-256color",
    LC_ALL="C.UTF-8",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    PGPASSFILE=os.devnull,
)
# Airflow reads these when it is first imported, which must be after this file.
_AIRFLOW_HOME = tempfile.mkdtemp(prefix="airflow-")
os.environ.update(
    AIRFLOW_HOME=_AIRFLOW_HOME,
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS="False",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
)

# No test has a machine that loses its power, and to wait for the disk takes longer than all else that a store does.
os.fsync = lambda descriptor: None

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer


#: A test that asks for one of these fixtures has the marker, so that `-m "not postgres"` leaves it out.
_MARKERS = {"postgres_server": "postgres", "snowflake_server": "snowflake", "aws_server": "s3"}


def pytest_unconfigure() -> None:
    """Remove Airflow's home: at the end of a worker of pytest-xdist too, which runs no atexit functions."""
    shutil.rmtree(_AIRFLOW_HOME, ignore_errors=True)


def pytest_sessionstart() -> None:
    """Keep the collector of garbage away while thousands of tests are collected, which all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave alone what was collected and imported: looking through it takes long."""
    gc.freeze()
    # What tests import later, Airflow's servers above all, is looked through a tenth as often.
    gc.set_threshold(5_000, 20, 20)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print in one line what was skipped and why: a suite that is green may have left parts out."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple | list) else report.longrepr).removeprefix(
            "Skipped: "
        )
        for report in skipped
    )
    counted = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
    terminalreporter.write_line(f"not run: {counted}" if counted else "not run: nothing, every selected test ran")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers that it needs."""
    for item in items:
        for name in _MARKERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(_MARKERS[name])


@pytest.fixture(autouse=True)
def process_context() -> Iterator[None]:
    """Reset what a command of the command line sets: it marks the process as one of Airflow's servers."""
    before = os.environ.get("_AIRFLOW_PROCESS_CONTEXT")
    yield
    if before is None:
        os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    else:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = before


#: Airflow has a masker of secrets for tasks and one for everything else.
_MASKING_MODULES = tuple(f"airflow{part}._shared.secrets_masker.secrets_masker" for part in (".sdk", ""))


@pytest.fixture(autouse=True)
def masked_secrets() -> Iterator[None]:
    """Remove the secrets of a test from Airflow: for each new one it compiles all of them into one expression."""
    maskers = [sys.modules[name]._secrets_masker() for name in _MASKING_MODULES if name in sys.modules]
    before = [(masker, set(masker.patterns), masker.replacer) for masker in maskers]
    yield
    for masker, patterns, replacer in before:
        masker.patterns, masker.replacer = patterns, replacer


@pytest.fixture(autouse=True)
def no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep commands that a busy machine slows down from writing lines that a test does not expect."""
    monkeypatch.setattr("airflow_provider_elementary.cli.progress.SECONDS", 3600.0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The inputs that this project was given: a real Elementary schema among them; not part of the repository."""
    if not (SHARED / "world").is_dir():
        pytest.skip(f"the shared inputs are not at {SHARED.resolve()}")
    return SHARED.resolve()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A throw-away authority and the certificate of this session's servers."""
    from tests.servers.certificates import issue_certificates

    return issue_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def postgres_server(certificates: Certificates) -> Iterator[PostgresServer]:
    """A private PostgreSQL cluster; each worker of pytest-xdist has its own."""
    from tests.servers.postgres import find_programs, postgres_cluster

    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    with postgres_cluster(programs, certificates) as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of an empty database for one test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres_server.create_database(name)
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def snowflake_server(certificates: Certificates) -> Iterator[SnowflakeServer]:
    """fakesnow over TLS, with roles; ``REQUESTS_CA_BUNDLE`` makes Snowflake's connector trust it."""
    from tests.servers.snowflake import fakesnow_server

    with pytest.MonkeyPatch.context() as patch, fakesnow_server(certificates) as server:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
        yield server


@pytest.fixture
def snowflake_database(snowflake_server: SnowflakeServer) -> Iterator[str]:
    """The name of a database with an empty schema ELEMENTARY for one test."""
    name = f"TEST_{uuid.uuid4().hex[:12].upper()}"
    snowflake_server.create_schema(name, "ELEMENTARY")
    yield name
    snowflake_server.drop_database(name)


@pytest.fixture(scope="session")
def aws_server(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    """S3, KMS, STS, IAM and Secrets Manager over TLS (moto)."""
    from tests.servers.aws import moto_server

    with moto_server(tmp_path_factory.mktemp("aws"), certificates) as server:
        yield server


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's metadata database, made once: dag.test() and the API need it, operators and hooks do not."""
    from airflow.utils import db

    db.initdb()


@pytest.fixture
def airflow_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Mapping[str, object]], str]:
    """Give Airflow a connection for one test: call it with an id and with a server's ``airflow_connection()``."""

    def add(conn_id: str, connection: Mapping[str, object]) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id

    return add

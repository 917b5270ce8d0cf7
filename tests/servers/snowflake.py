"""Runs fakesnow over TLS, with the parts of Snowflake that it lacks.

Added: users, roles and grants, context functions, ``ALTER SESSION``, results in chunks by URL, SQL errors where
fakesnow answers HTTP 500 (on which the connector would retry for ever), a log of queries, and faults on request.
"""

from __future__ import annotations

import gzip
import importlib
import json
import re
import secrets
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakesnow.arrow
import pyarrow as pa
import snowflake.connector
import sqlglot
import uvicorn
from fakesnow.instance import FakeSnow
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers import HOST, free_port
from tests.servers.certificates import Certificates
from tests.servers.snowflake_roles import ADMIN, PUBLIC, Account, DeniedError, Session, User
from tests.servers.snowflake_sql import INFORMATION_SCHEMA, as_rows, identifier_of, in_place_of
from tests.servers.snowflake_views import seen_by

# fakesnow also has a function of that name, which shadows the module in an import statement.
_wire: Any = importlib.import_module("fakesnow.server")

_SUCCESS = "SELECT 'Statement executed successfully.' AS \"status\""
_KEPT_CHUNKS = 512
_KEPT_RESULTS = 16
_ALTER_SESSION = re.compile(r"ALTER\s+SESSION\s+(SET|UNSET)\s+(?P<settings>.*)", re.IGNORECASE | re.DOTALL)
_USE = re.compile(r"USE\s+(?P<kind>ROLE|WAREHOUSE|SECONDARY\s+ROLES)\s+(?P<name>.+)", re.IGNORECASE)
_ACCOUNT_STATEMENT = re.compile(
    r"(GRANT|REVOKE|(CREATE|ALTER|DROP)\s+(ROLE|USER|WAREHOUSE|NETWORK|\w+\s+POLICY))\b", re.IGNORECASE
)
_LEADING_COMMENTS = re.compile(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
#: The rows of a result that are yet to be fetched by URL, of the request that is being answered.
_later_rows: ContextVar[list[pa.Table]] = ContextVar("later_rows")


@dataclass(frozen=True)
class Query:
    """One statement as the server received it."""

    sql: str
    user: str
    role: str
    tag: str | None


@dataclass
class SnowflakeServer:
    """A running Snowflake look-alike; all its databases are in memory.

    :param port: where it listens on 127.0.0.1, with TLS only.
    :param bundle: authorities for ``REQUESTS_CA_BUNDLE``, ours among them.
    :param password: of the user ``admin``, whose role is ACCOUNTADMIN.
    :param account: users, roles and grants; change them by :meth:`execute` or in place.
    :param queries: every statement received, oldest first.
    :param faults: HTTP statuses with which the next query requests are answered instead.
    :param refusals: the message and the error number with which the next logins are refused.
    :param chunk_rows: results longer than this come in several batches.
    """

    port: int
    bundle: Path
    password: str = field(repr=False)
    account: Account
    engine: FakeSnow = field(repr=False)
    host: str = "localhost"
    queries: list[Query] = field(default_factory=list, repr=False)
    faults: deque[int] = field(default_factory=deque, repr=False)
    refusals: deque[tuple[str, str]] = field(default_factory=deque, repr=False)
    chunk_rows: int = 10_000
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    _chunks: OrderedDict[str, pa.Table] = field(default_factory=OrderedDict, repr=False)

    def execute(
        self, statement: str, *, database: str | None = None, schema: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement as ACCOUNTADMIN, past the wire, and return its rows."""
        session = Session(self.account.users["ADMIN"], ADMIN, "NONE")
        prepared = self._prepare(statement, session, database, schema)
        with self.engine.connect(database, schema) as connection:
            rows: list[tuple[Any, ...]] = list(connection.cursor().execute(prepared).fetchall())  # type: ignore[arg-type]
            return rows

    def create_schema(self, database: str, schema: str) -> None:
        """Make a database and a schema where they are missing."""
        self.execute(f'CREATE DATABASE IF NOT EXISTS "{database}"')
        self.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"."{schema}"')

    def drop_database(self, database: str) -> None:
        """Drop a database with all that is in it."""
        with self.engine.duck_conn.cursor() as connection:
            connection.execute(f'DETACH DATABASE IF EXISTS "{database}"')  # fakesnow knows no DROP DATABASE

    def insert(self, reader: pa.RecordBatchReader, database: str, schema: str, table: str) -> None:
        """Append Arrow batches to a table, past the wire."""
        with self.engine.duck_conn.cursor() as connection:
            connection.register("incoming", reader)
            connection.execute(f'INSERT INTO "{database}"."{schema}"."{table}" BY NAME SELECT * FROM incoming')

    def create_user(self, name: str, *roles: str, secondary_roles: str = "ALL") -> str:
        """Create a user with these roles (made where missing; the first is the default) and return the password."""
        self.account.roles.update(roles)
        self.account.users[name.upper()] = User(
            name.upper(), secrets.token_urlsafe(12), set(roles), roles[0] if roles else PUBLIC, secondary_roles
        )
        return str(self.account.users[name.upper()].password)

    def connect(
        self, user: str = "admin", password: str | None = None, **parameters: Any
    ) -> snowflake.connector.SnowflakeConnection:
        """Connect with Snowflake's connector; as ACCOUNTADMIN where no user is named.

        ``REQUESTS_CA_BUNDLE`` has to be set, as the fixture does.
        """
        return snowflake.connector.connect(
            user=user,
            password=self.password if password is None else password,
            account=self.account.name.lower(),
            host=self.host,
            port=self.port,
            disable_ocsp_checks=True,  # a throw-away authority answers no question about revocation
            login_timeout=20,
            network_timeout=60,
            **parameters,
        )

    def airflow_connection(
        self,
        user: str = "admin",
        password: str | None = None,
        *,
        database: str = "DBT",
        schema: str = "ELEMENTARY",
        role: str | None = None,
        **extra: object,
    ) -> dict[str, object]:
        """Return what ``AIRFLOW_CONN_<ID>`` holds as JSON; for ACCOUNTADMIN where no user is named."""
        return {
            "conn_type": "snowflake",
            "login": user,
            "password": self.password if password is None else password,
            "schema": schema,
            "extra": {
                "account": self.account.name.lower(),
                "database": database,
                "warehouse": "WH",
                "role": role or self.account.users[user.upper()].default_role,
                "host": self.host,
                "port": self.port,
                "insecure_mode": True,
                **extra,
            },
        }

    def routes(self) -> list[Route]:
        """Return the routes of the protocol: fakesnow's own, and ours around logging in and running a query."""
        ours = [
            Route("/session/v1/login-request", self._log_in, methods=["POST"]),
            Route("/queries/v1/query-request", self._query, methods=["POST"]),
            Route("/queries/{query}/abort-request", _acknowledge, methods=["POST"]),
            Route("/telemetry/send", _acknowledge, methods=["POST"]),
            Route("/results/{chunk}", self._send_chunk, methods=["GET"]),
        ]
        return [*ours, *_wire.routes]

    async def _log_in(self, request: Request) -> JSONResponse:
        data = (await _json_of(request))["data"]
        if self.refusals:
            return _error(*self.refusals.popleft(), "08001")
        user = self.account.users.get(str(data.get("LOGIN_NAME", "")).upper())
        by_password = data.get("AUTHENTICATOR", "SNOWFLAKE").upper() == "SNOWFLAKE"
        if user is None or (by_password and user.password != data.get("PASSWORD")):
            return _error("Incorrect username or password was specified.", "390100", "08001")
        role = (request.query_params.get("roleName") or user.default_role).upper()
        session = Session(user, role, user.secondary_roles, request.query_params.get("warehouse"))
        if role not in self.account.available_roles(session):
            message = f"Role '{role}' specified in the connect string does not exist or not authorized."
            return _error(message, "390189", "08001")
        session.parameters.update({key.upper(): value for key, value in data["SESSION_PARAMETERS"].items()})
        answer = json.loads(bytes((await _wire.login_request(request)).body))
        answer["data"]["sessionInfo"] |= {"roleName": role, "warehouseName": session.warehouse}
        self._sessions[answer["data"]["token"]] = session
        return JSONResponse(answer)

    async def _query(self, request: Request) -> Response:
        if self.faults:
            return Response(status_code=self.faults.popleft())
        body = await _json_of(request)
        connection = _wire.to_conn(token := _wire.to_token(request))
        session = self._sessions[token]
        tag = session.parameters.get("QUERY_TAG")
        self.queries.append(Query(body["sqlText"], session.user.name, session.role, str(tag) if tag else None))
        later: list[pa.Table] = []
        _later_rows.set(later)
        try:
            prepared = self._prepare(body["sqlText"], session, connection.database, connection.schema)
            response = await _wire.query_request(_with_body(request, body | {"sqlText": prepared}))
        except DeniedError as denied:
            return _error(denied.message, denied.code, denied.sqlstate)
        except Exception as error:
            return _error(f"Unsupported feature: fakesnow stumbled over {type(error).__name__}", "000002", "0A000")
        if response.status_code >= 500:
            return _error("Unsupported feature: fakesnow cannot run this statement", "000002", "0A000")
        return self._with_chunks(response, later) if later else response

    def _prepare(self, statement: str, session: Session, database: str | None, schema: str | None) -> str:
        """Return the statement that fakesnow runs instead: the same one, or one with our answers in it.

        :raises DeniedError: the session may not run it.
        """
        self.account.adopt(self._objects())
        bare = " ".join(_LEADING_COMMENTS.sub("", statement).strip().rstrip(";").split())
        if (shown := self.account.show(bare, session)) is not None:
            return as_rows(*shown)
        if use := _USE.fullmatch(bare):
            self._use(session, " ".join(use["kind"].upper().split()), use["name"].strip())
            return _SUCCESS
        if (set_ := _ALTER_SESSION.fullmatch(bare)) and "AUTOCOMMIT" not in bare.upper():
            found = re.findall(r"(\w+)\s*=\s*('(?:[^']|'')*'|[^\s,]+)", set_["settings"])
            session.parameters.update({key.upper(): value.strip("'").replace("''", "'") for key, value in found})
            return _SUCCESS
        if _ACCOUNT_STATEMENT.match(bare):
            self.account.apply(bare, session)
            return _SUCCESS
        try:
            parsed = sqlglot.parse_one(statement, read="snowflake")
        except sqlglot.errors.ParseError:
            return statement  # fakesnow says what is wrong with it
        self.account.authorize(parsed, session, database, schema)
        rewritten = self._rewrite(parsed.copy(), session)
        return statement if rewritten == parsed else rewritten.sql(dialect="snowflake")

    def _use(self, session: Session, kind: str, name: str) -> None:
        if kind == "ROLE":
            self.account.use_role(session, name.strip('"') if name.startswith('"') else name.upper())
        elif kind == "WAREHOUSE":
            session.warehouse = name.upper()
        else:
            session.secondary_roles = name.upper()

    def _rewrite(self, statement: exp.Expr, session: Session) -> exp.Expr:
        """Put the session's values in the place of context functions, and hide from it what it may not see."""
        functions = self.account.functions(session)
        active = self.account.active_roles(session)

        def replace(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Func):
                name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).upper()
                if name == "IS_ROLE_IN_SESSION":
                    return in_place_of(node, exp.convert(node.expressions[0].name in active))
                return in_place_of(node, exp.convert(functions[name])) if name in functions else node
            if isinstance(node, exp.Table) and identifier_of(node.args.get("db")) == INFORMATION_SCHEMA:
                return seen_by(node, self.account, session)
            return node

        return statement.transform(replace)

    def _objects(self) -> dict[str, str]:
        with self.engine.duck_conn.cursor() as connection:
            found = connection.execute(
                "SELECT table_catalog || '.' || table_schema || '.' || table_name, table_type "
                "FROM system.information_schema.tables WHERE table_schema <> '_fs_information_schema'"
            ).fetchall()
        return {name: "VIEW" if kind == "VIEW" else "TABLE" for name, kind in found}

    def _first_rows(self, table: pa.Table) -> pa.Buffer:
        """Stand in for fakesnow's serializer: only the first chunk goes into the answer itself."""
        rest = range(self.chunk_rows, table.num_rows, self.chunk_rows)
        _later_rows.get().extend(table.slice(start, self.chunk_rows) for start in rest)
        return fakesnow.arrow.to_ipc(table.slice(0, self.chunk_rows))

    def _with_chunks(self, response: JSONResponse, later: list[pa.Table]) -> JSONResponse:
        answer = json.loads(bytes(response.body))
        answer["data"]["chunks"] = []
        for table in later:
            chunk = uuid.uuid4().hex
            self._chunks[chunk] = table
            answer["data"]["chunks"].append(
                {"url": f"https://{self.host}:{self.port}/results/{chunk}", "rowCount": table.num_rows}
                | {"uncompressedSize": table.nbytes, "compressedSize": table.nbytes}
            )
        # fakesnow and we would keep every result for ever.
        while len(self._chunks) > max(_KEPT_CHUNKS, len(later)):
            self._chunks.popitem(last=False)
        while len(self.engine.results_cache) > _KEPT_RESULTS:
            self.engine.results_cache.pop(next(iter(self.engine.results_cache)))
        return JSONResponse(answer)

    async def _send_chunk(self, request: Request) -> Response:
        table = self._chunks.get(request.path_params["chunk"])
        if table is None:
            return Response(status_code=404)
        return Response(fakesnow.arrow.to_ipc(table).to_pybytes(), media_type="application/octet-stream")


@contextmanager
def fakesnow_server(certificates: Certificates) -> Iterator[SnowflakeServer]:
    """Run a server with nothing but the user ``admin`` in it, until the block ends; one at a time in a process."""
    engine = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False)
    password = secrets.token_urlsafe(12)
    account = Account(users={"ADMIN": User("ADMIN", password, {ADMIN}, ADMIN)})
    server = SnowflakeServer(free_port(), certificates.bundle, password, account, engine)
    config = uvicorn.Config(
        Starlette(routes=server.routes()),
        host=HOST,
        port=server.port,
        ssl_certfile=certificates.certificate,
        ssl_keyfile=str(certificates.key),
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run, name="fakesnow", daemon=True)
    _wire.logger.setLevel("ERROR")
    original = _wire.shared_fs, _wire.to_ipc
    _wire.shared_fs, _wire.to_ipc = engine, server._first_rows
    try:
        thread.start()
        while not runner.started:
            if not thread.is_alive():
                raise RuntimeError("fakesnow's server did not start")
            time.sleep(0.02)
        yield server
    finally:
        runner.should_exit = True
        thread.join(10)
        _wire.shared_fs, _wire.to_ipc = original


async def _acknowledge(_: Request) -> JSONResponse:
    return JSONResponse({"data": None, "code": None, "message": None, "success": True})


async def _json_of(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    found: dict[str, Any] = json.loads(body)
    return found


def _with_body(request: Request, body: dict[str, Any]) -> Request:
    encoded = json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": encoded, "more_body": False}

    dropped = (b"content-encoding", b"content-length")
    headers = [(name, value) for name, value in request.scope["headers"] if name.lower() not in dropped]
    return Request({**request.scope, "headers": headers}, receive)


def _error(message: str, code: str, sqlstate: str) -> JSONResponse:
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})

"""Runs a server of Databricks' Thrift protocol over a DuckDB file: sessions, statements, results as Arrow batches."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.servers.engine import Engine, QuietHandler, serving
from tests.support.drivers import Error

#: Rows that come with the answer to a statement; the others are fetched.
PAGE_ROWS = 500


@contextmanager
def databricks_server(path: Path) -> Iterator[tuple[Engine, int]]:
    """Serve a DuckDB file until the block ends; yield the engine and the port."""
    from databricks.sql.thrift_api.TCLIService import TCLIService
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol
    from thrift.transport.TTransport import TFileObjectTransport

    engine = Engine("databricks", path)
    processor = TCLIService.Processor(_Service(engine))

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            asked, answered = io.BytesIO(self.body()), io.BytesIO()
            streams = [TBinaryProtocol(TFileObjectTransport(stream)) for stream in (asked, answered)]
            processor.process(*streams)
            self.answer(answered.getvalue(), "application/x-thrift")

    with serving(Handler) as port:
        yield engine, port
    engine.close()


class _Service:
    """The calls of the protocol that the driver makes."""

    def __init__(self, engine: Engine) -> None:
        from databricks.sql.thrift_api.TCLIService import ttypes

        self._engine = engine
        self._types: Any = ttypes
        self._results: dict[bytes, tuple[pa.Table, int]] = {}
        self._numbers = itertools.count(1)

    def OpenSession(self, request: Any) -> Any:
        types = self._types
        return types.TOpenSessionResp(
            status=self._ok(),
            serverProtocolVersion=types.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            sessionHandle=types.TSessionHandle(sessionId=self._id()),
            initialNamespace=request.initialNamespace,
            canUseMultipleCatalogs=True,
        )

    def ExecuteStatement(self, request: Any) -> Any:
        types = self._types
        handle = types.TOperationHandle(
            operationId=self._id(),
            operationType=types.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
        try:
            table = self._engine.run(request.statement, [one.value.stringValue for one in request.parameters or []])
        except Error as error:
            failed = types.TGetOperationStatusResp(
                status=self._ok(), operationState=types.TOperationState.ERROR_STATE, displayMessage=str(error)
            )
            direct = types.TSparkDirectResults(operationStatus=failed)
            return types.TExecuteStatementResp(status=self._ok(), operationHandle=handle, directResults=direct)
        self._results[handle.operationId.guid] = (table, 0)
        finished = types.TGetOperationStatusResp(status=self._ok(), operationState=types.TOperationState.FINISHED_STATE)
        direct = types.TSparkDirectResults(
            operationStatus=finished,
            resultSetMetadata=self._metadata(table),
            resultSet=self._page(handle, PAGE_ROWS),
        )
        return types.TExecuteStatementResp(status=self._ok(), operationHandle=handle, directResults=direct)

    def FetchResults(self, request: Any) -> Any:
        return self._page(request.operationHandle, min(request.maxRows, PAGE_ROWS))

    def CloseOperation(self, request: Any) -> Any:
        self._results.pop(request.operationHandle.operationId.guid, None)
        return self._types.TCloseOperationResp(status=self._ok())

    def CloseSession(self, request: Any) -> Any:
        return self._types.TCloseSessionResp(status=self._ok())

    def _page(self, handle: Any, count: int) -> Any:
        types = self._types
        table, begin = self._results[handle.operationId.guid]
        page = table.slice(begin, count).combine_chunks()
        self._results[handle.operationId.guid] = (table, begin + page.num_rows)
        batches = [
            types.TSparkArrowBatch(batch=batch.serialize().to_pybytes(), rowCount=batch.num_rows)
            for batch in page.to_batches()
        ]
        return types.TFetchResultsResp(
            status=self._ok(),
            hasMoreRows=begin + page.num_rows < table.num_rows,
            results=types.TRowSet(startRowOffset=begin, rows=[], arrowBatches=batches),
            resultSetMetadata=self._metadata(table),
        )

    def _metadata(self, table: pa.Table) -> Any:
        types = self._types
        kinds = types.TTypeId
        ids = {
            pa.string(): kinds.STRING_TYPE,
            pa.float64(): kinds.DOUBLE_TYPE,
            pa.float32(): kinds.FLOAT_TYPE,
            pa.int64(): kinds.BIGINT_TYPE,
            pa.int32(): kinds.INT_TYPE,
            pa.bool_(): kinds.BOOLEAN_TYPE,
            pa.timestamp("us"): kinds.TIMESTAMP_TYPE,
            pa.timestamp("us", "UTC"): kinds.TIMESTAMP_TYPE,
        }
        columns = [
            types.TColumnDesc(
                columnName=field.name,
                typeDesc=types.TTypeDesc(
                    types=[types.TTypeEntry(primitiveEntry=types.TPrimitiveTypeEntry(type=ids[field.type]))]
                ),
                position=number,
                comment="",
            )
            for number, field in enumerate(table.schema, 1)
        ]
        return types.TGetResultSetMetadataResp(
            status=self._ok(),
            schema=types.TTableSchema(columns=columns),
            resultFormat=types.TSparkRowSetType.ARROW_BASED_SET,
            lz4Compressed=False,
            arrowSchema=table.schema.serialize().to_pybytes(),
        )

    def _id(self) -> Any:
        return self._types.THandleIdentifier(guid=next(self._numbers).to_bytes(16, "big"), secret=b"\0" * 16)

    def _ok(self) -> Any:
        return self._types.TStatus(statusCode=self._types.TStatusCode.SUCCESS_STATUS)

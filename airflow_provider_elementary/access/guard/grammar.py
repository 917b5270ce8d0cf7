"""Lists the SQL syntax that a guarded query may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from sqlglot import exp

from airflow_provider_elementary.access.guard.functions import PIVOTING
from airflow_provider_elementary.exceptions import QueryRefusedError


def _names(*words: str) -> frozenset[str]:
    return frozenset(" ".join(words).split())


_MODIFIERS = "joins laterals where group having qualify windows order limit offset"

#: Nodes whose every argument is checked: the clauses that may be set.
CLAUSES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Select": _names("with_ kind expressions distinct from_ prewhere exclude", _MODIFIERS),
        "Subquery": _names("this alias with_ pivots", _MODIFIERS),
        "Union": _names("with_ this expression distinct by_name", _MODIFIERS),
        "Except": _names("with_ this expression distinct by_name", _MODIFIERS),
        "Intersect": _names("with_ this expression distinct by_name", _MODIFIERS),
        "With": _names("expressions recursive"),
        "CTE": _names("this alias scalar materialized"),
        "TableAlias": _names("this columns"),
        "Table": _names("this db catalog alias joins ordinality"),
        "TableFromRows": _names("this alias joins"),
        "From": _names("this"),
        "Join": _names("this expressions on side kind using method match_condition"),
        "Lateral": _names("this alias view outer ordinality cross_apply"),
        "OpenJSON": _names("this path expressions"),
        "OpenJSONColumnDef": _names("this kind path as_json"),
        "Values": _names("expressions alias"),
        # The last four are sqlglot's own: how the columns of the result are named.
        "Pivot": _names(
            "expressions fields alias columns identify_pivot_strings prefixed_pivot_columns pivot_column_naming",
            "value_columns_first",
        ),
        "PivotAlias": _names("this alias"),
        "Final": _names("this"),
        "In": _names("this expressions query unnest"),
        "Unnest": _names("expressions alias offset joins"),
        "Identifier": _names("this quoted"),
        "Column": _names("this table db catalog"),
        "Star": _names("except_ replace rename ilike"),
        "Cast": _names("this to format safe"),
        "TryCast": _names("this to format safe requires_string"),
        "DataType": _names("this expressions nested values nullable"),
        "ColumnDef": _names("this kind"),
        "Exists": _names("this expression"),
        "Dot": _names("this expression"),
        "Ordered": _names("this desc nulls_first"),
        "Limit": _names("this expression offset limit_options expressions"),
        "Window": _names("this partition_by order spec alias over first"),
    }
)

#: Nodes that are harmless with any arguments: the arguments are nodes, which are checked in turn.
EXPRESSIONS = _names(
    "Where PreWhere Group GroupingSets Cube Rollup Having Qualify Order Offset Fetch LimitOptions Distinct",
    "Columns WindowSpec Filter WithinGroup IgnoreNulls RespectNulls HavingMax Alias Aliases PropertyEQ Kwarg Lambda",
    "Tuple Paren Literal Boolean Null Var RawString ByteString National Interval IntervalSpan DataTypeParam",
    "And Or Not Xor EQ NEQ NullSafeEQ NullSafeNEQ GT GTE LT LTE Is Between Like ILike SimilarTo Escape RegexpILike",
    "Any All Add Sub Mul Div IntDiv Mod Neg DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift",
    "BitwiseRightShift Case If Bracket Slice Array AtTimeZone FromTimeZone Overlaps",
    "JSONPath JSONPathRoot JSONPathKey JSONPathSubscript JSONPathWildcard JSONPathSlice JSONPathRecursive",
    "JSONPathSelector JSONPathUnion JSONPathFilter JSONPathScript JSONBExtract JSONBExtractScalar JSONBContains",
    "ArrayContainsAll ArrayContainedBy Glob JSONKeyValue JSONValue SafeFunc",
    "OverflowTruncateBehavior FormatJson OnCondition",
    "WeekStart",
)

#: What the functions of :mod:`functions` become when sqlglot knows them; ``Anonymous`` are those it does not know.
FUNCTION_NODES = _names(
    "Abs Acos Acosh AddMonths Anonymous AnonymousAggFunc AnyValue ApproxDistinct ApproxQuantile ApproxQuantiles",
    "ApproxTopK ApproxTopSum ArgMax ArgMin ArrayAgg ArrayAll ArrayAny ArrayAppend ArrayCompact ArrayConcat",
    "ArrayConcatAgg ArrayConstructCompact ArrayContains ArrayDistinct ArrayExcept ArrayFilter ArrayFirst",
    "ArrayIntersect ArrayLast ArrayMax ArrayMin ArrayOverlaps ArrayPosition ArrayPrepend ArrayRemove ArrayReverse",
    "ArraySize ArraySlice ArraySort ArraySum ArrayToString ArrayUniqueAgg Ascii Asin Asinh Atan Atan2 Atanh Avg",
    "Base64Encode BitLength BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg Booland Boolnot Boolor BoolxorAgg",
    "ByteLength CastToStrType Cbrt Ceil CheckJson Chr CityHash64 Coalesce CodePointsToString Collate",
    "CombinedAggFunc CombinedParameterizedAgg Concat ConcatWs Contains Convert ConvertTimezone Corr Cos Cosh Cot Count",
    "CountIf CovarPop CovarSamp CumeDist CurrentDate CurrentDatetime CurrentTime CurrentTimestamp Date DateAdd",
    "DateBin DateDiff DateFromParts DateFromUnixDate DateSub DateTrunc Datetime DatetimeAdd DatetimeDiff DatetimeSub",
    "DatetimeTrunc Day DayOfMonth DayOfWeek DayOfWeekIso DayOfYear Dayname Decode DecodeCase Degrees DenseRank",
    "Encode EndsWith EqualNull Exp Extract Factorial FarmFingerprint First FirstValue Float64 Floor Format FromBase",
    "FromBase64 FromISO8601Date FromISO8601Timestamp FromJson GetExtract GetIgnoreCase Greatest GroupConcat Grouping",
    "GroupingId HashAgg Hex Hll Hour Initcap Int64 IsArray IsInf IsNan IsNullValue JSONArray JSONArrayAgg",
    "JSONArrayContains JSONBExists JSONBObjectAgg JSONBool JSONExists JSONExtract JSONExtractArray",
    "JSONExtractScalar JSONFormat JSONKeys JSONKeysAtDepth JSONObject JSONObjectAgg JSONStripNulls JSONType",
    "JSONValueArray JarowinklerSimilarity JustifyDays JustifyHours JustifyInterval Kurtosis Lag Last LastDay",
    "LastValue LaxBool LaxFloat64 LaxInt64 LaxString Lead Least Left Length Levenshtein List Ln Localtime",
    "Localtimestamp Log LogicalAnd LogicalOr Lower LowerHex MD5 MD5Digest MakeInterval Map MapContainsKey MapKeys Max",
    "Median Min Minute Mode Month Monthname MonthsBetween Nanvl NextDay Normalize NthValue Ntile Nullif Nvl2 ObjectAgg",
    "ObjectInsert Overlay Pad ParameterizedAgg ParseBignumeric ParseDatetime ParseJSON ParseNumeric ParseTime",
    "PercentRank PercentileCont PercentileDisc Pi Pow PreviousDay",
    "Quantile Quarter Radians Rand RangeBucket Rank Reduce",
    "RegexpCount RegexpExtract RegexpExtractAll RegexpFullMatch RegexpInstr RegexpLike RegexpReplace RegexpSplit",
    "RegexpSubstr RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy RegrSyy RegrValx",
    "RegrValy Replace Reverse Right Rint Round RowNumber SHA",
    "SHA1Digest SHA2 SHA2Digest SafeAdd SafeDivide SafeMultiply",
    "SafeNegate SafeSubtract Second Sign Sin Sinh Skewness SortArray Soundex Split SplitPart Sqrt StartsWith Stddev",
    "StddevPop StddevSamp StrPosition StrToDate StrToTime StrToUnix String StringToArray StripNullValue Strtok",
    "StrtokToArray Struct StructExtract Stuff Substring",
    "SubstringIndex Sum Tan Tanh Time TimeAdd TimeDiff",
    "TimeFromParts",
    "TimeSlice TimeStrToTime TimeSub TimeToStr TimeToUnix TimeTrunc Timestamp TimestampAdd TimestampDiff",
    "TimestampFromParts TimestampSub TimestampTrunc ToArray ToBase64 ToBoolean ToChar ToCodePoints ToDays ToDouble",
    "ToNumber ToVariant Transform Translate Trim Trunc Try TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToDatetime",
    "TsOrDsToTime TsOrDsToTimestamp Typeof Unhex Unicode Uniform UnixDate UnixMicros UnixMillis UnixSeconds UnixToStr",
    "UnixToTime Upper VarMap Variance VariancePop Week WeekOfYear WidthBucket XMLGet Year YearOfWeek YearOfWeekIso",
)

#: What the table functions of :mod:`functions` become.
TABLE_FUNCTION_NODES = _names(
    "Explode ExplodeOuter _ExplodeOuter Posexplode PosexplodeOuter Inline SplitToTable Unnest OpenJSON Anonymous",
)

ALLOWED = EXPRESSIONS | FUNCTION_NODES | TABLE_FUNCTION_NODES | frozenset(CLAUSES)

#: Types that only hold values: none that names an object (regclass), none that a user defined.
PLAIN_TYPES = _names(
    "BOOLEAN BIT TINYINT SMALLINT MEDIUMINT INT BIGINT INT128 INT256 UTINYINT USMALLINT UINT UBIGINT UINT128 UINT256",
    "FLOAT DOUBLE DECIMAL DECIMAL32 DECIMAL64 DECIMAL128 DECIMAL256 BIGDECIMAL DECFLOAT CHAR NCHAR BPCHAR VARCHAR",
    "NVARCHAR TEXT FIXEDSTRING BINARY VARBINARY DATE DATE32 TIME TIMETZ DATETIME DATETIME64 TIMESTAMP TIMESTAMPTZ",
    "TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL JSON JSONB VARIANT OBJECT SUPER UUID",
    "ARRAY LIST MAP STRUCT LOWCARDINALITY NULL",
)  # fmt: skip

#: Words that may stand before an opening bracket without being a function.
GRAMMAR_WORDS = _names(
    "all and any apply array as between by case cube distinct else end except exclude exists filter from group",
    "having in intersect interval is join lateral like ilike limit match_condition materialized minus not of offset on",
    "or order outer over partition pivot prewhere qualify rename replace rollup row select sets similar some",
    "then to top union unnest using values when where with within",
)

#: What a type name may be called before a bracket: ``varchar(10)``, ``decimal(10, 2)``, ``Nullable(String)``.
TYPE_WORDS = _names(
    "varchar char character nvarchar nchar bpchar varying text decimal numeric number dec bignumeric float",
    "double time timestamp timestamptz timestamp_ntz timestamp_ltz timestamp_tz timetz datetime datetime64 zone bit",
    "binary varbinary array map row nullable fixedstring lowcardinality decimal32 decimal64 decimal128",
)  # fmt: skip

_REASONS = {
    "DynamicIdentifier": "IDENTIFIER() is not allowed",
    "HistoricalData": "time travel is not allowed",
    "Hint": "hints are not allowed",
    "Into": "SELECT INTO is not allowed",
    "Lock": "row locks (FOR UPDATE, FOR SHARE) are not allowed",
    "ObjectIdentifier": "a cast to an object name (regclass and its like) is not allowed",
    "Parameter": "parameters and session variables are not allowed",
    "Placeholder": "bind placeholders are not allowed",
    "TableSample": "sampling is not allowed",
    "UnicodeString": "U& escapes are not allowed",
    "Version": "time travel is not allowed",
}
_CLAUSE_REASONS = {
    "changes": "time travel (CHANGES) is not allowed",
    "connect": "CONNECT BY is not allowed",
    "cycle": "CYCLE is not allowed",
    "field": "IN takes a list or a query, not a name",
    "format": "FORMAT is not allowed",
    "hint": "hints are not allowed",
    "hints": "hints are not allowed",
    "into": "SELECT INTO is not allowed",
    "locks": "row locks (FOR UPDATE, FOR SHARE) are not allowed",
    "match": "MATCH_RECOGNIZE is not allowed",
    "pivots": "PIVOT is not allowed",
    "rows_from": "a table function is not allowed",
    "sample": "sampling is not allowed",
    "search": "SEARCH is not allowed",
    "settings": "SETTINGS is not allowed",
    "udfs": "inline functions are not allowed",
    "version": "time travel is not allowed",
    "when": "time travel is not allowed",
}


def check_grammar(statement: exp.Expr, dialect: str) -> None:
    """Refuse a statement that holds anything but what this module lists.

    :raises QueryRefusedError: with the first thing found.
    """
    for node in statement.walk():
        name = type(node).__name__
        if name not in ALLOWED:
            raise QueryRefusedError(_REASONS.get(name, f"{_spelled(name)} is not allowed"))
        if check := _CHECKS.get(name):
            check(node, dialect)
        if clauses := CLAUSES.get(name):
            for clause, value in node.args.items():
                if clause not in clauses and value not in (None, False, []):
                    reason = f"{clause.strip('_').replace('_', ' ').upper()} in {_spelled(name)} is not allowed"
                    raise QueryRefusedError(_CLAUSE_REASONS.get(clause, reason))


def _spelled(name: str) -> str:
    return "".join(f" {c}" if c.isupper() and i and not name[i - 1].isupper() else c for i, c in enumerate(name))


def _check_table(node: exp.Expr, dialect: str) -> None:
    if _is_table_function(node.this):
        if node.args.get("db") is not None:
            raise QueryRefusedError("a qualified function, or a field of an expression, is not allowed")
    elif not isinstance(node.this, exp.Identifier):
        inner = type(node.this).__name__
        if isinstance(node.this, (exp.Var, exp.Literal)):
            raise QueryRefusedError("stages and files are not tables")
        raise QueryRefusedError(_REASONS.get(inner, "a table function is not allowed"))


def _is_table_function(node: object) -> bool:
    # Their names are checked where all calls are.
    return type(node).__name__ in TABLE_FUNCTION_NODES


_RELATIONS = (exp.Table, exp.Subquery, exp.Lateral, exp.Values, exp.Final, exp.Unnest, exp.TableFromRows)


def _check_relation(node: exp.Expr, dialect: str) -> None:
    if not isinstance(node.this, _RELATIONS):
        inner = type(node.this).__name__
        raise QueryRefusedError(_REASONS.get(inner, "only tables and subqueries can be read from"))


def _check_join(node: exp.Expr, dialect: str) -> None:
    method, kind = (str(node.args.get(key) or "").upper() for key in ("method", "kind"))
    if kind == "ARRAY" and dialect == "clickhouse" and not method:
        # What follows is a list of expressions, not of relations.
        return
    _check_relation(node, dialect)
    if node.expressions:
        raise QueryRefusedError("a list after JOIN is not allowed")
    if method not in ("", "NATURAL", "ASOF") or kind not in (
        "",
        "INNER",
        "OUTER",
        "CROSS",
        "SEMI",
        "ANTI",
        "ANY",
        "ASOF",
    ):
        raise QueryRefusedError(f"{method or kind} JOIN is not allowed")


def _check_exists(node: exp.Expr, dialect: str) -> None:
    # Databricks has a function of that name over an array and a condition.
    if not isinstance(node.this, exp.Query) and not isinstance(node.args.get("expression"), exp.Lambda):
        raise QueryRefusedError("EXISTS takes a query")


def _check_lateral(node: exp.Expr, dialect: str) -> None:
    if not isinstance(node.this, exp.Subquery) and not _is_table_function(node.this):
        raise QueryRefusedError("a table function is not allowed")


def _check_pivot(node: exp.Expr, dialect: str) -> None:
    # What it counts stands in the subquery, and the values of its columns in the statement.
    lists = node.args.get("fields") or []
    values = [_bare(value) for field in lists for value in field.expressions]
    literals = [part for value in values for part in (value.expressions if isinstance(value, exp.Tuple) else [value])]
    if (
        dialect not in PIVOTING
        or not isinstance(node.parent, exp.Subquery)
        or not isinstance(node.parent.this, exp.Query)
        or not all(isinstance(field, exp.In) for field in lists)
        or not all(isinstance(_bare(literal), (exp.Literal, exp.Neg, exp.Boolean)) for literal in literals)
        or not all(isinstance(_bare(aggregate), exp.Func) for aggregate in node.expressions)
    ):
        raise QueryRefusedError("PIVOT takes a query in brackets, aggregates, and a list of values")


def _check_interval(node: exp.Expr, dialect: str) -> None:
    # Without a unit after the bracket this may be a function of that name.
    if node.args.get("unit") is None and not isinstance(node.this, exp.Literal):
        raise QueryRefusedError("INTERVAL takes a number or a text, and a unit")


def _check_values(node: exp.Expr, dialect: str) -> None:
    # ClickHouse's values() is a function, whose first argument is the text of a table's definition.
    if dialect == "clickhouse":
        raise QueryRefusedError("VALUES is not allowed")
    if not isinstance(node.parent, (exp.From, exp.Join, exp.Subquery)):
        raise QueryRefusedError("VALUES can only be read from, FROM (VALUES …)")
    if not node.expressions or not all(isinstance(row, exp.Tuple) for row in node.expressions):
        raise QueryRefusedError("VALUES takes rows in brackets")


def _check_in(node: exp.Expr, dialect: str) -> None:
    # ClickHouse reads `x IN (name)` as a query over the table of that name.
    if dialect == "clickhouse" and any(isinstance(_bare(item), (exp.Column, exp.Dot)) for item in node.expressions):
        raise QueryRefusedError("IN takes a list or a query, not a name")


def _bare(item: exp.Expr) -> exp.Expr:
    while isinstance(item, (exp.Paren, exp.Alias, exp.PivotAlias)):
        item = item.this
    return item


def _check_alias(node: exp.Expr, dialect: str) -> None:
    # Two names in brackets are not an alias on a server that reads (TABLE name).
    if not isinstance(node.parent, (exp.Select, exp.Star, exp.Struct, exp.Pivot)) and dialect != "clickhouse":
        raise QueryRefusedError("an alias inside an expression is not allowed")


def _check_aliases(node: exp.Expr, dialect: str) -> None:
    # A call whose name is a word of the grammar, as in rename(x), looks like a column with a list of names.
    if not isinstance(node.this, exp.Func):
        raise QueryRefusedError("a list of names after a column is not allowed")


def _check_table_from_rows(node: exp.Expr, dialect: str) -> None:
    if not _is_table_function(node.this):
        raise QueryRefusedError("a table function is not allowed")


def _check_dot(node: exp.Expr, dialect: str) -> None:
    if dialect in ("postgres", "redshift") or not isinstance(node.expression, (exp.Identifier, exp.Literal, exp.Star)):
        raise QueryRefusedError("a qualified function, or a field of an expression, is not allowed")


def _check_type(node: exp.Expr, dialect: str) -> None:
    if not isinstance(node.this, exp.DataType.Type) or node.this.name not in PLAIN_TYPES:
        raise QueryRefusedError("a cast to a type that is not a plain one is not allowed")


def _check_columns(node: exp.Expr, dialect: str) -> None:
    # It stands for the columns of the tables in FROM; a function in its place would choose them.
    if dialect != "duckdb" or not isinstance(node.this, (exp.Literal, exp.Star)):
        raise QueryRefusedError("COLUMNS takes the text of a pattern")


def _check_collate(node: exp.Expr, dialect: str) -> None:
    collation = node.expression
    if not isinstance(collation, (exp.Column, exp.Literal, exp.Var, exp.Identifier)) or collation.args.get("table"):
        raise QueryRefusedError("a qualified collation is not allowed")


_CHECKS: Mapping[str, Callable[[exp.Expr, str], None]] = MappingProxyType(
    {
        "Table": _check_table,
        "Alias": _check_alias,
        "Aliases": _check_aliases,
        "From": _check_relation,
        "Join": _check_join,
        "Final": _check_relation,
        "Exists": _check_exists,
        "Lateral": _check_lateral,
        "Values": _check_values,
        "Pivot": _check_pivot,
        "Interval": _check_interval,
        "In": _check_in,
        "TableFromRows": _check_table_from_rows,
        "Dot": _check_dot,
        "DataType": _check_type,
        "Collate": _check_collate,
        "Columns": _check_columns,
    }
)


def column_lists(statement: exp.Expr) -> Iterator[str]:
    """Yield the names that are written like a function because columns follow them: ``WITH name (a, b) AS …``."""
    for alias in statement.find_all(exp.TableAlias):
        if alias.columns:
            yield alias.name.lower()

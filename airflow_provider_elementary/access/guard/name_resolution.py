"""Resolves every relation of a query to a table or a CTE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sqlglot import exp

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import QueryRefusedError

Fold = Callable[[str], str]


def _exact(name: str) -> str:
    return name


@dataclass(frozen=True)
class Folding:
    """How a warehouse decides that two spellings are one name.

    :param unquoted: turns a name without quotes into the name that it means.
    :param quoted: the same for a name in quotes.
    :param stored: how it stores the tables that the dbt package writes.
    :param stored_in_quotes: how it stores them where dbt quotes their names; None if that is the same.
    :param cte: the same for the name of a CTE or an alias, quoted or not; None if they are no special case.
    """

    unquoted: Fold = str.lower
    quoted: Fold = _exact
    stored: Fold = str.lower
    stored_in_quotes: Fold | None = None
    cte: Fold | None = None

    def name(self, identifier: exp.Identifier) -> str:
        """Return the table or schema that this name means."""
        return (self.quoted if identifier.args.get("quoted") else self.unquoted)(identifier.name)

    def local(self, identifier: exp.Identifier) -> str:
        """Return the CTE or alias that this name means."""
        return self.cte(identifier.name) if self.cte else self.name(identifier)


#: Warehouses that compare names without regard to case still never confuse two tables of the catalog.
_CASELESS = Folding(quoted=str.lower)
#: For a warehouse whose rule is not known, names have to be written as the dbt package writes them.
_UNKNOWN = Folding(unquoted=_exact)

FOLDINGS: Mapping[str, Folding] = MappingProxyType(
    {
        "bigquery": Folding(unquoted=_exact, cte=str.lower),
        "clickhouse": Folding(unquoted=_exact),
        "databricks": _CASELESS,
        "duckdb": _CASELESS,
        "postgres": Folding(),
        # Quoted names fold too unless enable_case_sensitive_identifier is set, which a guard cannot see.
        "redshift": Folding(),
        "snowflake": Folding(unquoted=str.upper, stored=str.upper, stored_in_quotes=str.lower),
        "trino": _CASELESS,
    }
)

#: Warehouses where `a.b` with `a` no table of the query is a sequence or a function, not a field of column `a`.
_STRICT_QUALIFIERS = frozenset({"postgres", "redshift", "snowflake"})
#: Warehouses where `t.f` calls the function f(t) if table t has no column f.
_CALLS_BY_DOT = frozenset({"postgres", "redshift"})

_CATALOG_COLUMNS = frozenset(column.name for table in TABLES.values() for column in table.known_columns)

#: Names that look like columns and return the session, the position of the row or the next number of a sequence.
PSEUDO_COLUMNS = frozenset(
    "user current_user session_user system_user current_role current_catalog current_schema current_database "
    "ctid xmin xmax cmin cmax tableoid oid nextval currval rowid _file _path _table_suffix".split()
)


@dataclass(frozen=True)
class _Scope:
    """What a part of the query can see.

    :param ctes: the names that mean a CTE here.
    :param relations: the names that may qualify a column here; the value says whether that is a table of the catalog.
    :param recursive: the name of the recursive CTE whose body this is.
    """

    ctes: frozenset[str]
    relations: Mapping[str, bool]
    recursive: str | None = None


@dataclass(frozen=True)
class Place:
    """Where the tables are allowed to be.

    :param dialect: sqlglot's name of the warehouse's SQL.
    :param schema: the Elementary schema, as configured.
    :param database: its database, as configured; None if statements may not name one.
    :param functions: names that a column of a derived table may have by default.
    :param quoted_tables: tables that are stored as dbt quotes their names.
    """

    dialect: str
    schema: str
    database: str | None
    functions: frozenset[str]
    quoted_tables: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resolved:
    """What a query reads.

    :param tables: the catalog's names, each once, sorted.
    :param relations: every relation as it is written, CTEs included, lower case.
    """

    tables: tuple[str, ...]
    relations: frozenset[str]


def resolve(statement: exp.Expr, place: Place) -> Resolved:
    """Resolve every relation of the statement.

    :raises QueryRefusedError: a relation is neither a table of the catalog in its place nor a CTE in scope.
    """
    folding = FOLDINGS.get(place.dialect, _UNKNOWN)
    introduced = frozenset(_introduced(statement))
    tables: set[str] = set()
    written: set[str] = set()
    waiting: list[tuple[exp.Expr, _Scope]] = [(statement, _Scope(frozenset(), {}))]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, exp.Table):
            written.add(".".join(part.name for part in node.parts).lower())
            if not _is_cte(node, scope, folding):
                tables.add(_catalog_table(node, place, folding))
        elif isinstance(node, exp.Column):
            _check_column(node, scope, place, folding, introduced)
        itself = frozenset({scope.recursive}) if scope.recursive and isinstance(node, exp.SetOperation) else frozenset()
        if isinstance(node, exp.Query):
            scope, bodies = _enter(node, scope, folding)
            waiting += bodies
        for child in node.iter_expressions():
            if not isinstance(child, exp.With):
                # The term before UNION starts the recursion: there the name still means a table.
                seen = scope.ctes | itself if child is node.args.get("expression") else scope.ctes
                waiting.append((child, replace(scope, ctes=seen)))
    return Resolved(tuple(sorted(tables)), frozenset(written))


def _introduced(statement: exp.Expr) -> Iterator[str]:
    """Yield the column names that the statement itself defines."""
    for alias in statement.find_all(exp.Alias):
        yield alias.alias.lower()
    for source in statement.find_all(exp.TableAlias):
        yield from (column.name.lower() for column in source.columns)


def _enter(query: exp.Query, scope: _Scope, folding: Folding) -> tuple[_Scope, list[tuple[exp.Expr, _Scope]]]:
    """Return what the query's own clauses see, and each body of its CTEs with what that body sees.

    A body sees the CTEs before it, and itself only after RECURSIVE in its second term. If a warehouse would let it see
    more, the name counts as a table and has to be one of Elementary's.
    """
    relations = dict(scope.relations)
    bodies: list[tuple[exp.Expr, _Scope]] = []
    ctes = scope.ctes
    with_ = query.args.get("with_")
    if with_ is not None:
        for cte in with_.expressions:
            name = folding.local(cte.args["alias"].this)
            itself = name if with_.args.get("recursive") else None
            bodies.append((cte.this, _Scope(ctes, scope.relations, itself)))
            # ClickHouse's WITH value AS name is no relation.
            ctes = ctes if cte.args.get("scalar") else ctes | {name}
    inner = _Scope(ctes, scope.relations)
    for source in _sources(query):
        alias = source.args.get("alias")
        identifier = alias.this if alias is not None and alias.this is not None else source.this
        if isinstance(identifier, exp.Identifier):
            of_catalog = isinstance(source, exp.Table) and not _is_cte(source, inner, folding)
            relations[folding.local(identifier)] = of_catalog
    return _Scope(ctes, MappingProxyType(relations)), bodies


def _sources(query: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the relations of one FROM clause, those in bare brackets included."""
    opening = query.args.get("from_")
    items = [opening.this] if opening is not None else []
    items += [join.this for join in query.args.get("joins") or ()]
    items += query.args.get("laterals") or []
    for item in items:
        source = item.this if isinstance(item, exp.Final) else item
        yield source
        if isinstance(source, exp.Subquery) and isinstance(source.this, (exp.Table, exp.Subquery)):
            yield from _bracketed(source)
        elif source.args.get("joins"):
            yield from _sources(source)


def _bracketed(source: exp.Subquery) -> Iterator[exp.Expr]:
    inner = source.this
    yield inner
    yield from _sources(inner)
    yield from _sources(source)
    if isinstance(inner, exp.Subquery) and isinstance(inner.this, (exp.Table, exp.Subquery)):
        yield from _bracketed(inner)


def _is_cte(table: exp.Table, scope: _Scope, folding: Folding) -> bool:
    return table.args.get("db") is None and folding.local(table.this) in scope.ctes


def _catalog_table(table: exp.Table, place: Place, folding: Folding) -> str:
    """Return the catalog's name of this table.

    :raises QueryRefusedError: it is not in the catalog, or in another schema or database.
    """
    name = folding.name(table.this)
    _check_part(table.args.get("db"), place.schema, "schema", folding)
    _check_part(table.args.get("catalog"), place.database, "database", folding)
    found = next((known for known in TABLES if folding.stored(known) == name), None)
    if found is None and name in place.quoted_tables & TABLES.keys() and folding.stored_in_quotes is not None:
        found = name
    if found is None:
        other_case = table.this.name.lower() in TABLES
        reason = " in this spelling of upper and lower case" if other_case else ""
        raise QueryRefusedError(f"{_shown(table.this)} is not a table of the Elementary schema{reason}")
    return found


def _check_part(part: object, expected: str | None, level: str, folding: Folding) -> None:
    if part is None:
        return
    if not isinstance(part, exp.Identifier) or not part.name:
        raise QueryRefusedError(f"the name of the {level} is not a plain name")
    if expected is None or folding.name(part) != folding.quoted(expected):
        raise QueryRefusedError(f"only tables of the Elementary {level} are allowed, not of the {level} {_shown(part)}")


def _shown(identifier: exp.Identifier) -> str:
    name = identifier.name
    return repr(name if len(name) <= 63 else name[:60] + "...")


def _check_column(
    column: exp.Column, scope: _Scope, place: Place, folding: Folding, introduced: frozenset[str]
) -> None:
    name = column.name.lower()
    unquoted = isinstance(column.this, exp.Identifier) and not column.this.args.get("quoted")
    if name in PSEUDO_COLUMNS and (unquoted or column.args.get("table")):
        raise QueryRefusedError(f"the system column or session value {name} is not allowed")
    qualifier = column.args.get("table")
    if qualifier is None or place.dialect not in _STRICT_QUALIFIERS:
        return
    of_catalog = scope.relations.get(folding.local(qualifier))
    if of_catalog is None:
        raise QueryRefusedError(f"{_shown(qualifier)} is no table of this query, so it cannot qualify a column")
    _check_part(column.args.get("db"), place.schema, "schema", folding)
    _check_part(column.args.get("catalog"), place.database, "database", folding)
    if place.dialect in _CALLS_BY_DOT and isinstance(column.this, exp.Identifier):
        known = _CATALOG_COLUMNS | place.functions | (frozenset() if of_catalog else introduced)
        if name not in known:
            raise QueryRefusedError(
                f"{_shown(column.this)} is no column of the catalog, and a dot could call a function of that name"
            )

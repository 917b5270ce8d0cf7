"""Resolves every relation of a query to a table or a CTE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sqlglot import exp

from airflow_provider_elementary.access.guard.spelling import (
    CALLS_BY_DOT,
    FOLDINGS,
    STRICT_QUALIFIERS,
    UNKNOWN,
    Folding,
    lower,
)
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import QueryRefusedError

#: The columns of table functions that have no alias for them.
_UNNESTED = frozenset("element index key ordinality path seq this value".split())
_CATALOG_COLUMNS = frozenset(column.name for table in TABLES.values() for column in table.known_columns)

#: Columns that every table has without defining them: the position, version or file of a row, or a sequence. Others
#: begin with ``_`` or hold a ``$``, as ``_metadata`` and ``"$path"``.
PSEUDO_COLUMNS = frozenset(
    "ctid xmin xmax cmin cmax tableoid oid insertxid deletexid nextval currval rowid rownum input_file_name".split()
)
#: Words that return the session, unless they are quoted or qualified.
_SESSION_VALUES = frozenset(
    "user system_user current_user current_role current_catalog current_schema current_database current_path "
    "current_account current_warehouse current_session current_statement current_transaction session_user".split()
)
#: How the names of others begin; a query may define columns of such names.
_SESSION_PREFIXES = ("current_", "session_")


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
class SchemaPlace:
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

    :param of_catalog: the catalog's name of each table, by the ``id`` of its node; all others are CTEs.
    :param relations: every relation as it is written, CTEs included, lower case.
    """

    of_catalog: Mapping[int, str]
    relations: frozenset[str]

    @property
    def tables(self) -> tuple[str, ...]:
        """The catalog's names, each once, sorted."""
        return tuple(sorted(set(self.of_catalog.values())))


def resolve_names(statement: exp.Expr, place: SchemaPlace) -> Resolved:
    """Resolve every relation of the statement.

    :raises QueryRefusedError: a relation is neither a table of the catalog in its place nor a CTE in scope.
    """
    folding = FOLDINGS.get(place.dialect, UNKNOWN)
    introduced = frozenset(_introduced(statement))
    of_catalog: dict[int, str] = {}
    written: set[str] = set()
    waiting: list[tuple[exp.Expr, _Scope]] = [(statement, _Scope(frozenset(), {}))]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Identifier):
                written.add(lower(".".join(part.name for part in node.parts)))
            if not _is_cte(node, scope, folding):
                of_catalog[id(node)] = _catalog_table(node, place, folding)
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
    return Resolved(of_catalog, frozenset(written))


def _introduced(statement: exp.Expr) -> Iterator[str]:
    """Yield the column names that the statement itself defines."""
    for alias in statement.find_all(exp.Alias):
        yield lower(alias.alias)
    for source in statement.find_all(exp.TableAlias):
        yield from (lower(column.name) for column in source.columns)


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
    if not isinstance(table.this, exp.Identifier):
        # A table function.
        return True
    return table.args.get("db") is None and folding.local(table.this) in scope.ctes


def _catalog_table(table: exp.Table, place: SchemaPlace, folding: Folding) -> str:
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
        other_case = lower(table.this.name) in TABLES
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


def _is_pseudo(part: exp.Expr, is_alone: bool, introduced: frozenset[str]) -> bool:
    name = lower(part.name)
    if name in PSEUDO_COLUMNS or name.startswith("_") or "$" in name:
        return True
    if not is_alone or part.args.get("quoted"):
        return False
    return name in _SESSION_VALUES or (name.startswith(_SESSION_PREFIXES) and name not in introduced)


def _shown(identifier: exp.Identifier) -> str:
    name = identifier.name
    return repr(name if len(name) <= 63 else name[:60] + "...")


def _check_column(
    column: exp.Column, scope: _Scope, place: SchemaPlace, folding: Folding, introduced: frozenset[str]
) -> None:
    for part in column.parts:
        name = lower(part.name)
        if _is_pseudo(part, len(column.parts) == 1, introduced) and name not in _CATALOG_COLUMNS:
            raise QueryRefusedError(f"the system column or session value {name[:63]} is not allowed")
    qualifier = column.args.get("table")
    if qualifier is None or place.dialect not in STRICT_QUALIFIERS:
        return
    of_catalog = scope.relations.get(folding.local(qualifier))
    if of_catalog is None:
        raise QueryRefusedError(f"{_shown(qualifier)} is no table of this query, so it cannot qualify a column")
    _check_part(column.args.get("db"), place.schema, "schema", folding)
    _check_part(column.args.get("catalog"), place.database, "database", folding)
    if place.dialect in CALLS_BY_DOT and isinstance(column.this, exp.Identifier):
        known = _CATALOG_COLUMNS | place.functions | (frozenset() if of_catalog else introduced | _UNNESTED)
        if lower(column.name) not in known:
            raise QueryRefusedError(
                f"{_shown(column.this)} is no column of the catalog, and a dot could call a function of that name"
            )

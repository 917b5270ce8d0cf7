"""Lists how each command can end: the status, and the words after the command; ``{name}`` is a place of the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FINE, FINDING, USAGE, NOT_DONE = 0, 1, 2, 3
#: How the commands name stores: connections of the fixture of that name.
STORE, DAMAGED, BROKEN, ODD, EMPTY, NO_KEYS, OTHER_KEYS = (
    f"--store-conn-id {name}" for name in ("sound", "damaged", "broken", "odd", "empty", "no_keys", "other_keys")
)
#: The id of no incident.
UNKNOWN = "0" * 16

OUTCOMES: Mapping[str, Sequence[tuple[int, str]]] = {
    "keys generate": [
        (FINE, "--file {folder}/new.json"),
        (USAGE, ""),
        (USAGE, "--file {folder}/other.json --loud"),
        (NOT_DONE, "--file {store_path}/keys.json"),
    ],
    "store init": [
        (FINE, "--uri {sound}-new --keys-file {folder}/init.json"),
        (USAGE, "--uri {sound}-new"),
        (USAGE, "--store-conn-id sound"),
        (USAGE, "--store-conn-id sound --after abc"),
        (NOT_DONE, "--store-conn-id nowhere"),
    ],
    "grants": [
        (FINE, "postgres --database dwh"),
        (USAGE, ""),
        (USAGE, "oracle"),
        (USAGE, "snowflake --public-key /no/such/file"),
        (USAGE, "postgres --database dwh --network nowhere"),
    ],
    "query-history grants": [
        (FINE, "postgres --database dwh"),
        (USAGE, ""),
        (USAGE, "duckdb"),
        (USAGE, "snowflake --database DWH"),
        (USAGE, "snowflake --public-key /no/such/file"),
    ],
    "query-history check-access": [
        (USAGE, ""),
        (NOT_DONE, "--conn-id nowhere"),
        (NOT_DONE, "--conn-id {tight}"),
    ],
    "query-history show": [
        (USAGE, f"{STORE} --limit -1"),
        (NOT_DONE, STORE),
        (NOT_DONE, "--store-conn-id nowhere"),
    ],
    "query-history usage": [
        (USAGE, f"{STORE} --days 0"),
        (USAGE, f"{STORE} --by user"),
        (NOT_DONE, STORE),
    ],
    "store check": [
        (FINE, EMPTY),
        (FINDING, "--store-conn-id unwritable"),
        (USAGE, "--loud"),
        (NOT_DONE, "--store-conn-id nowhere"),
        (NOT_DONE, "--store-conn-id tight"),
    ],
    "store rotate-signing-key": [
        (USAGE, "--store-conn-id sound"),
        (NOT_DONE, "--store-conn-id sound --recovery-key /no/such/file"),
        (NOT_DONE, "--store-conn-id nowhere --old-keys-file {store_path}/keys.json"),
    ],
    "check-access": [
        (FINE, "--conn-id {tight}"),
        (FINDING, "--conn-id {wide}"),
        (NOT_DONE, ""),
        (USAGE, "--conn-id {tight} --accept-unknown no-such-check"),
        (USAGE, "--conn-id {tight} --probe elementary.dbt_models"),
        (NOT_DONE, "--conn-id nowhere"),
        (NOT_DONE, "--conn-id {missing}"),
        (NOT_DONE, "--conn-id {driverless}"),
        (NOT_DONE, "--conn-id {tight} --schema no_such_schema"),
    ],
    "store maintain": [
        (FINE, STORE),
        (FINDING, f"{BROKEN} --keep-last 1"),
        (USAGE, f"{STORE} --keep-last many"),
        (USAGE, f"{STORE} --keep-last -7"),
        (USAGE, f"{STORE} --category-days samples=3"),
        (NOT_DONE, NO_KEYS),
    ],
    "snapshot take": [
        (FINE, f"{STORE} --conn-id {{tight}}"),
        (FINDING, f"{STORE} --conn-id {{wide}}"),
        (NOT_DONE, STORE),
        (USAGE, f"{STORE} --conn-id {{tight}} --mask not_a_column"),
        (USAGE, f"{STORE} --conn-id {{tight}} --category no_such_category"),
        (USAGE, f"{STORE} --conn-id {{tight}} --failed-rows-per-test -1"),
        (USAGE, f"{STORE} --conn-id {{tight}} --full-every-days nan"),
        (NOT_DONE, f"{STORE} --conn-id nowhere"),
        (NOT_DONE, f"{NO_KEYS} --conn-id {{tight}}"),
        (NOT_DONE, "--store-conn-id ftp --conn-id {tight}"),
        (NOT_DONE, "--store-conn-id tight --conn-id {tight}"),
        (NOT_DONE, "--store-conn-id nowhere --conn-id {tight}"),
    ],
    "snapshot list": [
        (FINE, STORE),
        (USAGE, "--store sound"),
        (NOT_DONE, EMPTY),
        (NOT_DONE, "--store-conn-id ftp"),
        (NOT_DONE, "--store-conn-id unwritable"),
    ],
    "snapshot verify": [
        (FINE, STORE),
        (FINDING, DAMAGED),
        (USAGE, f"{STORE} --anchor latest"),
        (USAGE, f"{STORE} --category no_such_category"),
        (NOT_DONE, EMPTY),
        (NOT_DONE, NO_KEYS),
        (NOT_DONE, OTHER_KEYS),
        (NOT_DONE, "--store-conn-id nowhere"),
    ],
    "snapshot restore": [
        (FINE, f"{STORE} --to {{folder}}/back.duckdb"),
        (FINDING, f"{DAMAGED} --to {{folder}}/damaged.duckdb"),
        (USAGE, STORE),
        (USAGE, f"{STORE} --to a --to-conn-id b"),
        (NOT_DONE, f"{EMPTY} --to {{folder}}/empty.duckdb"),
        (NOT_DONE, f"{STORE} --to {{folder}}/wide.duckdb"),
        (NOT_DONE, f"{STORE} --to-conn-id nowhere"),
        (NOT_DONE, f"{STORE} --to {{folder}}/unknown.duckdb --snapshot nothing"),
    ],
    "snapshot prune": [
        (FINE, f"{STORE} --keep-last 1 --dry-run"),
        (FINDING, f"{BROKEN} --keep-last 1"),
        (USAGE, f"{STORE} --keep-last many"),
        (USAGE, f"{STORE} --keep-last -7"),
        (USAGE, f"{STORE} --acknowledge-loss 2"),
        (USAGE, f"{STORE} --category-days samples=3"),
        (USAGE, f"{STORE} --orphan-hours -1"),
        (NOT_DONE, NO_KEYS),
    ],
    "snapshot diff": [
        (FINE, f"{STORE} {{first}}"),
        (USAGE, STORE),
        (NOT_DONE, f"{STORE} nothing"),
        (NOT_DONE, f"{NO_KEYS} {{first}}"),
    ],
    "summary": [(FINE, STORE), (USAGE, "--loud"), (NOT_DONE, EMPTY)],
    "table": [
        (FINE, f"dbt_models {STORE}"),
        (FINE, f"DBT_MODELS {STORE}"),
        (FINDING, f"dbt_invocations {DAMAGED}"),
        (USAGE, f"no_such_table {STORE}"),
        (USAGE, f"dbt_models {STORE} --limit -1"),
        (NOT_DONE, f"dbt_models {EMPTY}"),
    ],
    "anomalies": [
        (FINE, f"{ODD} --days 60"),
        (FINE, f"{ODD} --days 60 --fail-on none"),
        (FINDING, f"{ODD} --days 60 --fail-on any"),
        (FINDING, f"{ODD} --days 60 --fail-on orders"),
        (FINDING, f"{ODD} --days 60 --fail-on orders --fail-on customers"),
        (FINDING, f"{DAMAGED} --days 60"),
        (USAGE, f"{STORE} --fail-on no_such_model"),
        (USAGE, f"{STORE} --days 0"),
        (USAGE, f"{STORE} --parameter anomaly_sensitivity"),
        (USAGE, f"{STORE} --parameter no_such_parameter=1"),
        (USAGE, f"{STORE} --method divination"),
        (NOT_DONE, EMPTY),
        (NOT_DONE, NO_KEYS),
    ],
    "incidents": [
        (FINE, STORE),
        (FINDING, f"{STORE} --status resolved --fail-on-open"),
        (USAGE, f"{STORE} --status closed"),
        (NOT_DONE, "--store-conn-id nowhere"),
        (NOT_DONE, "--store-conn-id ftp"),
    ],
    "incidents answer": [
        (USAGE, f"{UNKNOWN} mute {STORE}"),
        (USAGE, f"nothing acknowledge {STORE}"),
        (USAGE, f"{UNKNOWN} shout {STORE}"),
        (NOT_DONE, f"{UNKNOWN} acknowledge {STORE}"),
        (NOT_DONE, f"{UNKNOWN} acknowledge --store-conn-id nowhere"),
    ],
    "lint": [(FINE, STORE), (USAGE, "--loud"), (NOT_DONE, EMPTY)],
    "backtest": [
        (FINE, f"{ODD} --days 60"),
        (FINDING, f"{DAMAGED} --days 60"),
        (USAGE, f"{STORE} --days -3"),
        (USAGE, f"{STORE} --parameter no_such_parameter=1"),
        (USAGE, f"{STORE} --svg {{folder}}/picture.svg --table nothing --metric row_count"),
        (USAGE, f"{STORE} --table shop.core.orders"),
        (USAGE, f"{STORE} --table shop.core.orders --metric row_count"),
        (USAGE, f"{STORE} --svg {{folder}}/picture.svg --metric row_count"),
        (NOT_DONE, f"{STORE} --svg /no/such/folder/picture.svg"),
        (NOT_DONE, EMPTY),
    ],
    # A connection or a store that cannot be opened is what it is asked to find.
    "doctor": [
        (FINE, f"{STORE} --conn-id {{tight}}"),
        (FINE, f"{EMPTY} --conn-id {{tight}}"),
        (FINDING, "--store-conn-id nowhere --conn-id {tight}"),
        (FINDING, f"{NO_KEYS} --conn-id {{tight}}"),
        (USAGE, "--loud"),
    ],
    # What it answers is in test_mcp: it ends well once its client closes the stream.
    "mcp": [
        (USAGE, "--loud"),
        (NOT_DONE, "--store-conn-id nowhere"),
    ],
    "audit": [
        (FINE, f"{STORE} --output {{folder}}/audit.html"),
        (USAGE, STORE),
        (USAGE, f"{STORE} --json --since yesterday"),
        (USAGE, f"{STORE} --output {{store_path}}/keys.json"),
        (NOT_DONE, "--store-conn-id nowhere --json"),
    ],
    "example-dags": [(FINE, ""), (USAGE, "--loud")],
    "demo": [(USAGE, "--loud"), (NOT_DONE, "--home {store_path}/keys.json/below")],
}

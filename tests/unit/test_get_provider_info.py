"""What Airflow discovers: valid against its own schemas, and every name in it leads somewhere."""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow._shared.secrets_masker import should_hide_value_for_key
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.providers_manager import ProvidersManager
from packaging.version import Version

import airflow_provider_elementary
from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.get_provider_info import (
    CONNECTION_FIELDS,
    POLICY_FIELDS,
    STORE_CONNECTION_FIELDS,
    STORE_FIELD_BEHAVIOUR,
    UI_FIELD_BEHAVIOUR,
    get_provider_info,
)
from airflow_provider_elementary.hooks import warehouse_types
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.snapshots.store_settings import STORE_FIELDS
from airflow_provider_elementary.warehouses.kind import WarehouseKind
from airflow_provider_elementary.warehouses.registry import CONNECTABLE

AIRFLOW = Path(airflow.__file__).parent
PACKAGE = Path(airflow_provider_elementary.__file__).parent
INFO = get_provider_info()
CONNECTION_TYPES = {found["connection-type"]: found for found in INFO["connection-types"]}
HOOKS: dict[str, Any] = {
    "elementary": ElementaryHook,
    "elementary_store": ElementaryStoreHook,
    **{kind.connection_type: getattr(warehouse_types, kind.hook_class) for kind in CONNECTABLE},
}
MODULES = [
    module
    for kind in ("operators", "sensors", "hooks", "triggers")
    for group in INFO[kind]
    for module in group["python-modules"]
]
CLASSES = [
    *(found["hook-class-name"] for found in INFO["connection-types"]),
    *INFO["extra-links"],
    *(plugin["plugin-class"] for plugin in INFO["plugins"]),
]


def schema(name: str) -> dict[str, Any]:
    return json.loads((AIRFLOW / name).read_text())


def test_it_is_valid_by_the_schema_that_airflow_checks_at_start() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_its_connection_types_are_valid_by_the_strict_schema() -> None:
    strict = schema("provider.yaml.schema.json")["properties"]["connection-types"]

    jsonschema.validate(INFO["connection-types"], strict)


def test_the_package_name_is_canonical_since_airflow_does_not_start_with_another() -> None:
    canonical = re.sub(r"[-_.]+", "-", INFO["package-name"]).lower()

    assert INFO["package-name"] == canonical == "airflow-provider-elementary"


def test_the_metadata_imports_nothing() -> None:
    script = (
        "import sys; from airflow_provider_elementary.get_provider_info import get_provider_info; get_provider_info(); "
        "print([name for name in ('airflow', 'pyarrow', 'sqlglot', 'duckdb', 'jinja2') if name in sys.modules])"
    )

    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert imported.strip() == "[]"


@pytest.mark.parametrize(
    "key", [*INFO, *(key for found in CONNECTION_TYPES.values() for key in (*found, *found["ui-field-behaviour"]))]
)
def test_keys_are_in_kebab_case_since_airflow_ignores_others(key: str) -> None:
    assert "_" not in key


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_the_connection_type_has_no_double_underscore_since_airflow_loses_its_fields(conn_type: str) -> None:
    assert "__" not in conn_type
    assert conn_type == HOOKS[conn_type].conn_type
    assert CONNECTION_TYPES[conn_type]["hook-name"] == HOOKS[conn_type].hook_name


def test_the_form_of_a_store_has_every_field_that_its_hook_reads() -> None:
    assert set(STORE_CONNECTION_FIELDS) == set(STORE_FIELDS)
    assert not [name for name in STORE_CONNECTION_FIELDS if "__" in name]


def test_a_store_needs_its_uri_alone_in_the_form() -> None:
    assert [n for n, field in STORE_CONNECTION_FIELDS.items() if "null" not in field["schema"]["type"]] == ["uri"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    __import__(module)


@pytest.mark.parametrize("path", CLASSES)
def test_every_class_can_be_imported(path: str) -> None:
    assert isinstance(pkgutil.resolve_name(path), type)


def test_secret_fields_have_names_that_airflow_masks() -> None:
    fields = {**CONNECTION_FIELDS, **STORE_CONNECTION_FIELDS}
    secret = {name for name, field in fields.items() if field["schema"].get("format") == "password"}

    assert secret == {"private_key_content", "keyfile_dict", "secret_keys"}
    assert all(should_hide_value_for_key(name) for name in secret)


def test_the_kind_of_warehouse_is_not_snowflakes_virtual_warehouse() -> None:
    assert CONNECTION_FIELDS["warehouse_kind"]["schema"]["enum"] == [kind.key for kind in CONNECTABLE]
    assert "enum" not in CONNECTION_FIELDS["warehouse"]["schema"]


def test_the_hook_names_the_fields_for_airflow_before_3_2() -> None:
    assert CONNECTION_TYPES["elementary"]["ui-field-behaviour"] == UI_FIELD_BEHAVIOUR
    assert CONNECTION_TYPES["elementary_store"]["ui-field-behaviour"] == STORE_FIELD_BEHAVIOUR
    for conn_type, hook in HOOKS.items():
        behaviour, named = hook.get_ui_field_behaviour(), CONNECTION_TYPES[conn_type]["ui-field-behaviour"]

        assert behaviour["hidden_fields"] == named["hidden-fields"]
        assert behaviour["relabeling"] == named["relabeling"]


@pytest.mark.parametrize("kind", CONNECTABLE, ids=lambda kind: kind.key)
def test_no_field_of_a_warehouses_form_has_to_be_filled(kind: WarehouseKind) -> None:
    fields = CONNECTION_TYPES[kind.connection_type]["conn-fields"]

    assert all("null" in field["schema"]["type"] for field in fields.values())
    assert set(fields) < set(CONNECTION_FIELDS)


def test_the_form_of_duckdb_asks_for_a_path_alone() -> None:
    standard = CONNECTION_TYPES["elementary_duckdb"]["ui-field-behaviour"]

    assert standard["hidden-fields"] == ["schema", "port", "login", "password"]
    assert standard["relabeling"] == {"host": "Path of the DuckDB file"}
    assert set(CONNECTION_TYPES["elementary_duckdb"]["conn-fields"]) == {
        "elementary_schema",
        "accept_failed",
        "allowed_addresses",
        "accept_unknown",
    }


def test_the_form_of_snowflake_begins_with_its_own_fields() -> None:
    found = CONNECTION_TYPES["elementary_snowflake"]

    assert (found["hook-name"], list(found["conn-fields"])[:3]) == (
        "Elementary: Snowflake",
        ["account", "role", "warehouse"],
    )
    assert found["conn-fields"]["account"]["label"] == "Account"
    assert CONNECTION_FIELDS["account"]["label"] == "Snowflake: Account"


@pytest.fixture(scope="module")
def providers_manager() -> ProvidersManager:
    try:
        distribution("airflow-provider-elementary")
    except PackageNotFoundError:
        pytest.skip("airflow-provider-elementary is not installed (pip install -e .)")
    return ProvidersManager()


def test_airflow_lists_the_provider(providers_manager: ProvidersManager) -> None:
    provider = providers_manager.providers["airflow-provider-elementary"]

    assert provider.data["name"] == "Elementary"


@pytest.mark.parametrize(
    ("conn_type", "attribute"),
    [
        ("elementary_store", "store_conn_id"),
        *((conn_type, "elementary_conn_id") for conn_type in HOOKS if conn_type != "elementary_store"),
    ],
)
def test_airflow_finds_the_hook_of_the_connection_type(
    providers_manager: ProvidersManager, conn_type: str, attribute: str
) -> None:
    hook = providers_manager.hooks[conn_type]

    assert hook is not None
    assert hook.hook_class_name == CONNECTION_TYPES[conn_type]["hook-class-name"]
    assert hook.connection_id_attribute_name == attribute


FORM_OF_METADATA = pytest.mark.skipif(
    Version(airflow.__version__) < Version("3.2"),
    reason="Airflow 3.1 builds a form once in a process; the matrix builds it in its own",
)


@FORM_OF_METADATA
def test_airflows_connection_form_shows_labels_and_every_field(providers_manager: ProvidersManager) -> None:
    service = pytest.importorskip("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService

    form = next(meta for meta in service.hook_meta_data() if meta.connection_type == "elementary")

    assert form.standard_fields.url_schema.hidden
    assert form.standard_fields.login.title == "User of the read-only role"
    assert set(form.extra_fields) == set(CONNECTION_FIELDS)
    assert form.extra_fields["warehouse_kind"]["schema"]["enum"] == [kind.key for kind in CONNECTABLE]


@FORM_OF_METADATA
def test_airflows_form_of_duckdb_shows_a_path_alone(providers_manager: ProvidersManager) -> None:
    service = pytest.importorskip("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService

    form = next(meta for meta in service.hook_meta_data() if meta.connection_type == "elementary_duckdb")

    assert form.hook_name == "Elementary: DuckDB"
    assert form.standard_fields.host.title == "Path of the DuckDB file"
    assert form.standard_fields.login.hidden
    assert form.standard_fields.password.hidden
    assert form.standard_fields.port.hidden


@FORM_OF_METADATA
def test_airflows_form_of_a_store_shows_every_field_and_hides_the_secret(providers_manager: ProvidersManager) -> None:
    service = pytest.importorskip("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService

    form = next(meta for meta in service.hook_meta_data() if meta.connection_type == "elementary_store")

    assert form.standard_fields.host.hidden
    assert form.standard_fields.login.title == "Own AWS access key id"
    assert set(form.extra_fields) == set(STORE_CONNECTION_FIELDS)
    assert form.extra_fields["secret_keys"]["schema"]["format"] == "password"


def test_airflow_knows_the_options_of_page_lineage_and_docs(providers_manager: ProvidersManager) -> None:
    sections = dict(providers_manager.provider_configs)["airflow-provider-elementary"]

    assert set(sections["elementary"]["options"]) == {
        "stores",
        "schedules",
        "openlineage_namespace",
        "docs_url",
        "dbt_docs_url",
        "dbt_code_url",
        *POLICY_FIELDS,
    }


@pytest.mark.skipif(Version(airflow.__version__) < Version("3.3"), reason="Airflow 3.3 is the first with this setting")
def test_airflow_lists_the_example_dags_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")

    found = DagBundlesManager().get_bundle("airflow-provider-elementary-example-dags")

    assert found.path == PACKAGE / "example_dags"


def test_the_command_line_prints_the_folder_of_the_example_dags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example-dags"]) == 0

    assert (Path(capsys.readouterr().out.strip()) / "elementary_observability.py").is_file()

"""What the package imports is declared, and is there in the lowest versions that are declared."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from tests.matrix.imports import imported, missing

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"
FILES = sorted({*PACKAGE.rglob("*.py"), *(ROOT / "dags").glob("*.py")})
#: The distribution of each import whose name is another, longest prefix first.
DISTRIBUTIONS = {
    "airflow.providers.amazon": "apache-airflow-providers-amazon",
    "airflow.providers.common.compat": "apache-airflow-providers-common-compat",
    "airflow.providers.common.sql": "apache-airflow-providers-common-sql",
    "airflow.providers.openlineage": "apache-airflow-providers-openlineage",
    "airflow.providers.smtp": "apache-airflow-providers-smtp",
    "airflow": "apache-airflow",
    "adbc_driver_manager": "adbc-driver-manager",
    # Airflow's API server brings them, and the page runs nowhere else. Named here, uv takes the newest, and an older
    # Airflow that is broken beside it.
    "fastapi": "apache-airflow",
    "sqlalchemy": "apache-airflow",
    "starlette": "apache-airflow",
    # Templates are made of it: jinja2 and this text type are of one version.
    "markupsafe": "jinja2",
    "openlineage": "openlineage-python",
    "slack_sdk": "apache-airflow-providers-slack",
    "snowflake": "snowflake-connector-python",
    "google.cloud.bigquery": "google-cloud-bigquery",
}
#: Airflow 3.1 puts stand-ins in their place when it builds a connection's form.
STAND_INS = {"flask_appbuilder", "wtforms"}
#: Modules that only type checkers have: imported below TYPE_CHECKING alone.
TYPES_ONLY = {"_typeshed"}
#: What the package imports of its extras.
OPTIONAL = (
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "airflow.providers.openlineage.extractors",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.smtp.notifications.smtp",
    "google.cloud.bigquery",
    "openlineage.client",
)
#: The first release of common-compat whose sdk has the name; measured. ``mask_secret`` came with 1.22.
SINCE = {
    "AirflowFailException": "1.10",
    "AirflowNotFoundException": "1.11",
    "AirflowSkipException": "1.10",
    "Asset": "1.8",
    "AssetAlias": "1.8",
    "BaseHook": "1.8",
    "BaseNotifier": "1.8",
    "BaseOperator": "1.8",
    "BaseOperatorLink": "1.8",
    "BaseSensorOperator": "1.8",
    "Connection": "1.8",
    "Context": "1.8",
    "PokeReturnValue": "1.8",
    "Stats": "1.14.1",
    "conf": "1.12",
    "get_current_context": "1.8",
}


def distribution_of(module: str) -> str:
    fitting = (name for prefix, name in DISTRIBUTIONS.items() if f"{module}.".startswith(f"{prefix}."))
    return next(fitting, module.split(".")[0])


@cache
def declared() -> dict[str, Requirement]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"]]
    texts += [text for name, text in config["options.extras_require"].items() if name not in ("test", "docs", "dev")]
    found = (Requirement(line) for text in texts for line in text.splitlines() if line.strip())
    return {requirement.name: requirement for requirement in found}


def minimum(name: str) -> Version:
    return Version(next(bound.version for bound in declared()[name].specifier if bound.operator == ">="))


def third_party() -> set[str]:
    modules = {module for path in FILES for module, _ in imported(path)}
    return {
        module
        for module in modules
        if module.split(".")[0]
        not in {*sys.stdlib_module_names, *STAND_INS, *TYPES_ONLY, "airflow_provider_elementary"}
    }


def test_every_third_party_import_is_declared() -> None:
    assert {distribution_of(module) for module in third_party()} - declared().keys() == set()


def test_every_requirement_has_a_minimum() -> None:
    assert [name for name, requirement in declared().items() if ">=" not in str(requirement.specifier)] == []


def test_the_declared_common_compat_has_every_name_that_is_imported_from_its_sdk() -> None:
    names = {
        name for path in FILES for module, name in imported(path) if module == "airflow.providers.common.compat.sdk"
    }

    assert names - SINCE.keys() == set()
    assert {name for name in names if Version(SINCE[name]) > minimum("apache-airflow-providers-common-compat")} == set()


def test_every_imported_name_exists_in_the_installed_versions() -> None:
    names = sorted({one for path in FILES for one in imported(path) if one[0] not in TYPES_ONLY})

    assert [fault for module, name in names if (fault := missing(module, name))] == []


def test_without_the_smtp_provider_the_main_dag_parses_and_mail_is_off() -> None:
    program = (
        "import sys; sys.modules['airflow.providers.smtp.notifications.smtp'] = None; import runpy; "
        f"found = runpy.run_path({str(ROOT / 'dags' / 'elementary_observability.py')!r}); alerts = found['alerts']; "
        "field = alerts.dag.params.get_param('alert_emails'); "
        "print(alerts.routes, field.schema['maxItems'], field.description)"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert answer.stdout.splitlines()[-1].startswith(
        "{} 0 The SMTP provider is not installed here, so no mail is sent."
    )
    assert "airflow-provider-elementary[mail]" in answer.stdout


def test_the_example_dags_parse_without_any_optional_provider() -> None:
    paths = [str(path) for path in sorted((ROOT / "dags").glob("elementary_*.py"))]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r})); import runpy; "
        f"[runpy.run_path(path) for path in {paths!r}]"
    )

    subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT)

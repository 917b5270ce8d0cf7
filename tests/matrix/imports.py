"""Imports everything that the installed package imports, and builds its connection form."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import airflow_provider_elementary as package

#: Come with extras that no row has to install.
OF_EXTRAS = ("airflow.providers.slack", "google.cloud.bigquery", "holidays", "slack_sdk")


def imported(path: Path) -> list[tuple[str, str]]:
    """Return the module and the name of each import of a file, including those inside functions."""
    found = []
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.module, alias.name) for alias in node.names]
    return found


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one, without those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from running(child)


def is_installed(module: str) -> bool:
    """Return whether a module can be found."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def missing(module: str, name: str) -> str | None:
    """Return what is wrong with an import, or None."""
    if any(module.startswith(extra) and not is_installed(extra) for extra in OF_EXTRAS):
        return None
    # Airflow 3.1 puts stand-ins in their place when it builds a form.
    if module.split(".")[0] in ("wtforms", "flask_appbuilder"):
        return None
    try:
        if name and not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}")
        importlib.import_module(module)
    except Exception as error:
        return f"{module} {name}: {type(error).__name__}: {error}"
    return None


def missing_fields() -> set[str]:
    """Return the fields that Airflow's connection forms do not show, by connection type, and those starred in vain."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    from airflow_provider_elementary.get_provider_info import get_provider_info

    forms = {form.connection_type: form for form in HookMetaService.hook_meta_data()}
    found = set()
    for declared in get_provider_info()["connection-types"]:
        kind = declared["connection-type"]
        form, wanted = forms[kind], declared["conn-fields"]
        shown = form.extra_fields or {}
        hidden = {"login", "password"} <= set(declared["ui-field-behaviour"]["hidden-fields"])
        if not hidden and not (form.standard_fields and (form.standard_fields.login or form.standard_fields.password)):
            found.add(f"{kind}: labels of the standard fields")
        found |= {f"{kind}: {name}" for name in wanted.keys() - shown.keys()}
        found |= {
            f"{kind}: {name} is starred"
            for name in wanted.keys() & shown.keys()
            if "null" in wanted[name]["schema"]["type"] and "null" not in shown[name]["schema"]["type"]
        }
    return found


def main() -> int:
    """Print what cannot be imported; return 1 if there is any."""
    wanted = {(module.name, "") for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")}
    for path in Path(package.__path__[0]).rglob("*.py"):
        wanted.update(imported(path))
    faults = [fault for module, name in sorted(wanted) if (fault := missing(module, name))]
    examples = list(Path(package.__path__[0]).glob("example_dags/elementary_*.py"))
    if fields := missing_fields():
        faults.append(f"the connection form has no {', '.join(sorted(fields))}")
    if not examples:
        faults.append("the installed package holds no example DAG")
    print("\n".join(faults) or f"{len(wanted)} imports, {len(examples)} example DAGs")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())

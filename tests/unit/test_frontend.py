"""The build of the page's script: from the lock file, only where it is needed, and never a reason to fail."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "frontend"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "build_backend" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_backend() -> Any:
    pytest.importorskip("setuptools", reason="setuptools is not installed beside this Airflow")
    return load("backend")


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[Any]:
    module: Any = load("frontend")
    module.SOURCES, module.BUILT = tmp_path / "frontend", tmp_path / "static"
    module._STAMP = module.BUILT / "built-from.txt"
    (module.SOURCES / "src").mkdir(parents=True)
    (module.SOURCES / "src" / "page.ts").write_text("export {};")
    yield module
    sys.modules.pop("frontend", None)
    sys.modules.pop("backend", None)


def build_without_npm(frontend: Any) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []

    def npm(*arguments: str) -> None:
        calls.append(arguments)
        frontend.BUILT.mkdir(exist_ok=True)

    frontend._npm = npm
    frontend.build()
    return calls


def test_the_script_is_built_from_the_lock_file_without_scripts_of_packages(frontend: Any) -> None:
    calls = build_without_npm(frontend)

    assert calls == [("ci", "--ignore-scripts", "--no-fund", "--no-audit", "--omit=dev"), ("run", "build")]


def test_what_is_built_is_built_again_only_after_a_change_of_its_sources(frontend: Any) -> None:
    build_without_npm(frontend)

    assert build_without_npm(frontend) == []
    (frontend.SOURCES / "src" / "page.ts").write_text("export const changed = 1;")
    assert not frontend.is_built()


def test_what_npm_installed_is_no_source(frontend: Any) -> None:
    build_without_npm(frontend)
    (frontend.SOURCES / "node_modules").mkdir()
    (frontend.SOURCES / "node_modules" / "other.js").write_text("")

    assert frontend.is_built()


def test_a_distribution_is_built_without_the_script_where_npm_fails(
    frontend: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (frontend.BUILT).mkdir()
    (frontend.BUILT / "page.js").write_text("of older sources")

    def npm(*arguments: str) -> None:
        raise frontend.BuildFailed("npm ci ended with 1")

    frontend._npm = npm
    monkeypatch.delenv("ELEMENTARY_FRONTEND", raising=False)
    backend = load_backend()
    backend._bundle()

    assert "WARNING: built without the page's script: npm ci ended with 1." in capsys.readouterr().out
    assert not frontend.BUILT.exists()


@pytest.mark.parametrize(
    ("npm", "setting", "needed"), [(None, "", True), ("/usr/bin/npm", "", False), (None, "skip", False)]
)
def test_node_is_asked_of_pypi_only_where_it_is_needed(
    npm: str | None, setting: str, needed: bool, frontend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEMENTARY_FRONTEND", setting)
    backend = load_backend()
    monkeypatch.setattr(backend.shutil, "which", lambda name: npm)

    assert backend._node() == ([frontend.NODE] if needed else [])
    build_without_npm(frontend)
    assert backend._node() == []


def test_the_lock_file_names_each_package_by_its_hash() -> None:
    packages = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    del packages[""]

    assert {name: held.get("integrity", "")[:7] for name, held in packages.items()} == dict.fromkeys(
        packages, "sha512-"
    )
    assert not [
        name for name, held in packages.items() if held.get("hasInstallScript") and name != "node_modules/esbuild"
    ]

# Two commands: `make demo` runs the example DAG on the sample; `make test` checks everything. Both set up what they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where bytecode is not kept, every process compiles Airflow again: most of the time of the demo and of many tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test suite lint types unit frontend matrix acceptance benchmarks docs package release clean

demo: $(READY)
	@$(BIN)/airflow-elementary demo

# Types beside the tests: alone they keep one core busy for half a minute, and the other idle.
test: $(READY) lint
	@$(MAKE) --no-print-directory frontend || true
	@$(MAKE) --no-print-directory -j 2 types suite

# Five workers on two cores: half of the time of many tests is waiting, for a server, a browser or a task; fewer where a worker
# has no 2.5 GB. In the order of folders, so that the dear files come first; a worker that a hanging test ended is not
# replaced, as it would run that test again. In a fresh clone one process compiles everything first, beside the types: all
# workers begin at once, and each would.
WORKERS = $(or $(shell awk '/^MemAvailable/ {n = int($$2 / 2500000); print (n < 1 ? 1 : n > 5 ? 5 : n)}' /proc/meminfo 2>/dev/null),3)
suite: $(READY)
	@test -d tests/__pycache__ || $(BIN)/pytest --collect-only -q > /dev/null || true
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# The page's script, with npm from its lock file; without it the page shows the charts of the server.
frontend:
	@$(PYTHON) build_backend/frontend.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest tests/unit

# Installs the wheel beside each supported Airflow and Python.
matrix: $(READY)
	$(BIN)/python -m tests.matrix

# What takes too long for every change: ninety days of hourly syncs (ELEMENTARY_SOAK_DAYS), long random histories, many
# races, the engines of other warehouses on the large world, Spark where pyspark and Java are installed, and
# a killed worker of a CeleryExecutor where redis-server is (ELEMENTARY_PARTS_ROWS: how many rows).
acceptance: $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[executors]'
	ELEMENTARY_EXECUTORS=1 $(BIN)/pytest -s -rs -o faulthandler_timeout=7200 tests/integration/test_parts_on_executors.py
	ELEMENTARY_HISTORIES=$${ELEMENTARY_HISTORIES:-150} $(BIN)/pytest -s -o faulthandler_timeout=7200 tests/integration/test_random_histories.py
	ELEMENTARY_METRIC_HISTORIES=20 $(BIN)/pytest tests/unit/metrics/test_by_day.py -k from_scratch
	$(BIN)/python -m tests.benchmarks soak --days $${ELEMENTARY_SOAK_DAYS:-90}
	ELEMENTARY_ODD_CELLS=$${ELEMENTARY_ODD_CELLS:-50} $(BIN)/pytest -o faulthandler_timeout=7200 tests/integration/test_odd_cells.py
	$(BIN)/python -m tests.benchmarks races --rounds $${ELEMENTARY_RACES:-80}
	if command -v radosgw ceph-osd ceph-mon > /dev/null; then $(BIN)/python -m tests.benchmarks races --rounds 20 --store ceph; fi
	ELEMENTARY_ENGINES=1 $(BIN)/pytest -rs tests/integration/test_world_a_on_engines.py
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[spark]' pyspark
	$(BIN)/pytest -rs tests/integration/test_spark.py tests/integration/test_spark_warehouse.py

benchmarks: $(READY)
	$(BIN)/python -m tests.benchmarks

docs: $(READY)
	$(BIN)/python -m sphinx -E -W --keep-going -q docs build/docs
	@echo "Open build/docs/index.html"

# Builds, checks, and writes hashes and a bill of materials of what the wheel installs, into dist/.
package: $(READY)
	rm -rf dist
	$(BIN)/python -m build --installer uv
	$(BIN)/python -m tests.release dist

# The same, and fails while something that only a maintainer can decide is open: version, CHANGELOG, reporting address.
release: package
	$(BIN)/python -m tests.release --ready dist

clean:
	rm -rf .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# uv resolves and installs Airflow many times faster than pip.
$(READY): setup.cfg setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (the first time takes a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@

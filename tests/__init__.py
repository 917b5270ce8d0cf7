"""Tests: unit (no server), integration (real servers), system (the example DAGs), browser, benchmarks."""

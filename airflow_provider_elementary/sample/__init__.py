"""A small Elementary schema with known incidents, for demos, notebooks and tests; README.md says what is inside."""

from airflow_provider_elementary.sample.build import build_sample

__all__ = ["build_sample"]

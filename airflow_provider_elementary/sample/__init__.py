"""Provides a small Elementary schema with known incidents."""

from airflow_provider_elementary.sample.build import LAST_DAY, build_sample

__all__ = ["LAST_DAY", "build_sample"]

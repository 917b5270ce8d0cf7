"""Provides a small Elementary schema with known incidents."""

from airflow_provider_elementary.sample.build import build_sample

__all__ = ["build_sample"]

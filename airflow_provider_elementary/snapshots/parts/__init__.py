"""Captures a snapshot in parts that tasks of several workers share."""

from __future__ import annotations

from airflow_provider_elementary.snapshots.parts.capture_step import capture_part
from airflow_provider_elementary.snapshots.parts.commit_step import commit_parts
from airflow_provider_elementary.snapshots.parts.plan_step import PartReference, plan_parts

__all__ = ["PartReference", "capture_part", "commit_parts", "plan_parts"]

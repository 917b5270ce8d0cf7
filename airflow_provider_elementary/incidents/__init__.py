"""Tracks incidents from conditions and lineage."""

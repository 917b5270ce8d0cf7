"""Syncs an Elementary schema into encrypted snapshots, and scores it."""

__version__ = "0.1.0.dev0"

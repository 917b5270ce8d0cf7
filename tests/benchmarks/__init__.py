"""Benchmarks: figures for the docs, measured side by side; nothing here asserts a time."""

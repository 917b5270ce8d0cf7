"""Builds the values that each template of the page shows."""

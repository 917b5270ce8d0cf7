"""Checks the distributions of a release."""

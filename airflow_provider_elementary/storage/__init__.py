"""Keeps documents and encrypted files in a store."""

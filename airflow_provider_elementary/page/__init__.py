"""Renders the Elementary page of a store."""

"""Merges, prunes and cleans what a store holds."""

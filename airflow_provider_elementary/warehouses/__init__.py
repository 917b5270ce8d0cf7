"""Reads the Elementary schema of each warehouse."""

"""Keeps series of signed documents: results, reports and answers."""

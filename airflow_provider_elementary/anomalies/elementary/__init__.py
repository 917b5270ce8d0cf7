"""Scores by Elementary's own rule, and compares with what the package stored."""

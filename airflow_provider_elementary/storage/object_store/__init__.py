"""Keeps named objects in a directory or an S3 bucket."""

"""The self-hosted sync for Elementary: read its schema with least privilege, score it, keep it encrypted."""

__version__ = "0.1.0"

"""The command line: ``airflow-elementary``."""

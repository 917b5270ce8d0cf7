"""Installs the wheel beside each supported Airflow and Python, and runs it there."""

"""The Elementary page in Airflow's UI."""

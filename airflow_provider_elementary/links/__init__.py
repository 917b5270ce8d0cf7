"""Links tasks in Airflow's UI to their results."""

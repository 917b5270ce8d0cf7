"""Shows stores in the browser, without Airflow."""

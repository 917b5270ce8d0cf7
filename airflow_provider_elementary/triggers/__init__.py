"""What runs in Airflow's triggerer."""

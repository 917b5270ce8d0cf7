"""Opens warehouses and stores from Airflow connections."""

"""Examples with forms, also installed as ``airflow_provider_elementary.example_dags``."""

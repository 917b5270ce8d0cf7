{{ config(meta={"elementary": {"timestamp_column": "seen_at", "anomaly_sensitivity": 2, "fail_on_zero": "False"}}) }}
select * from {{ ref("visits") }}

"""Models one bucket of many series: forecasts, probabilities and alarms."""

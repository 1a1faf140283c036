"""Telemetry of an application: Spark's event log, the cost of its tasks, and why its phases take as long as they do."""

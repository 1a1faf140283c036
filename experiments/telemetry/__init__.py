"""What Spark says about an application: its event log, what its tasks cost, and why its phases take as long as they do."""

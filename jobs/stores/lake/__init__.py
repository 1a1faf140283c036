"""Store in Delta tables: `store` needs Spark; `versions` does not."""

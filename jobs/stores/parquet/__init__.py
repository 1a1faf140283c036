"""Store in folders of Parquet files: `store` needs Spark; `versions` does not."""

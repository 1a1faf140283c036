"""Store in Cassandra tables: `store` needs Spark; what reads and writes through the driver alone does not."""

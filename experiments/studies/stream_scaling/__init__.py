"""Scaling of a stream: how fast it drains a backlog with other numbers of partitions, workers and brokers."""

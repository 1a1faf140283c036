"""Topics of Kafka: which there are, how to reach the brokers, what the topics hold now."""

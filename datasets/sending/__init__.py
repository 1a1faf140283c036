"""Send messages to Kafka at a rate, and tell which of them it has acknowledged."""

"""COST: the number of worker cores from which on Spark beats one competent thread."""

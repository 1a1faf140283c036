"""From how many worker cores on Spark beats one competent thread."""

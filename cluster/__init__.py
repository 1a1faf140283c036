"""Start and stop the services of a cluster, without Spark sessions or data sets."""

"""Starts and stops the services of a cluster; knows no Spark session and no data."""

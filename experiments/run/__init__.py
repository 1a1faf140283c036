"""Runs applications on a cluster: prepares data, requests, starts, follows and keeps each trial."""

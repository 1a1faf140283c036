"""Latency of a stream: the time from a message's intended sending to its visible row, at given rates."""

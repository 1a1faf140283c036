"""Faults in the middle of streams: a part is killed or fails, and everything is reconciled afterwards."""

"""Proof that every message is where it belongs exactly once: what was read, what is stored, and how the two differ."""

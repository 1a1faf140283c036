"""Readers of text files that keep every line: parsed, or rejected with a reason."""

"""Streams: queries over topics with their checkpoints, what a message is, and the tables of the lake."""

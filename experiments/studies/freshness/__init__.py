"""Freshness: the time from a like until the list of its person has it, through the stream `refresh` and made when it is read."""

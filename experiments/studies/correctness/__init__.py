"""Cost of what streams guarantee: rounds in which a stream, ways that guarantee less and a batch take turns, and their ratios."""

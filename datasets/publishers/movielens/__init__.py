"""GroupLens' MovieLens."""

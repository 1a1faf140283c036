"""Generated ratings and items, shaped like publishers' sets."""

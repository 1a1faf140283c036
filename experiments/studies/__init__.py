"""Questions that need more than a grid of trials, one folder each, and what is computed for them."""

"""Common parts of models: their interface, checks before a fit, terms of items, and what a fitted model exports."""

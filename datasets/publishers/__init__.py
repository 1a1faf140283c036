"""Layouts, readers and samples of what publishers give out, one room for each of them."""

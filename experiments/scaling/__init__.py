"""How times change with the number and size of workers: curves, fits of scaling laws, and what may be said of them."""

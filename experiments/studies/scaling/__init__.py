"""Change of times with the number and size of workers: curves, fits of scaling laws, and conclusions."""

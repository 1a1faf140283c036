"""What all packages stand on: errors, atomic files, locks, typed options. Knows no Spark and no service."""

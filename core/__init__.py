"""Foundation of all packages: errors, atomic files, locks, typed options and plug-ins. Knows no Spark and no service."""

"""Java: where it is, the jars that it is given, and what its environment must say."""

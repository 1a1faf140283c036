"""Iterations of the engine at sizes and numbers of workers that were not measured, by arithmetic on what was."""

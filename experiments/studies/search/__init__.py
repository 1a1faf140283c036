"""Searches for the settings that do best on the validation part, and registers the model that they make."""

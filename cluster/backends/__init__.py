"""Backends, which run services: as processes of this machine, or in containers."""

"""Playlists and tables of tracks."""

"""The Movies Dataset and TMDB 5000."""

"""Parts of which pages and terminal output are made: tables, pictures, words, and one HTML page."""

"""Two variants of one trial, measured in turns and compared pair by pair: their seconds, and their quality user by user."""

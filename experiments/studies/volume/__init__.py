"""Volume: the bytes that a message takes in each place, and what a rate of messages makes of them in a year."""

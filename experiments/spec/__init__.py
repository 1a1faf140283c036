"""Questions: the keys of a specification, the grid of trials, and the shape and data of one trial."""

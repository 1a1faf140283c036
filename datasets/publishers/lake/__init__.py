"""The lake as data sets: versions of its tables, and the ratings that follow from what people like and what titles are."""

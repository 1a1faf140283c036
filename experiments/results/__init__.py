"""Results of trials as files on disk: events of an application, outcomes, their numbers, and whether models are the same."""

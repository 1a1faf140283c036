"""From a source's rows to the tables that models read: cleaning, dense ids, statistics, and the split into training and test."""

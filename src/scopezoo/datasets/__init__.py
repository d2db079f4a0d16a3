"""Images to train and test on: reading, grouping by field, splitting, simulating."""

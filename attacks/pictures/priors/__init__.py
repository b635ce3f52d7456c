"""What pictures look like: smoothness, ranges, statistics of features."""

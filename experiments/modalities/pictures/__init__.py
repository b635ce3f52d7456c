"""Pictures, and rows of tables: examples of numbers in [0, 1]."""

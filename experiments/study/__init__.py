"""A run: its settings, its masks, keys and rounds, the attacks on them, what is written."""

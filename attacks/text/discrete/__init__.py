"""Attacks that name tokens one by one, without a search among embeddings."""

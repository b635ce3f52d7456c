"""Attacks that match gradients by a search among embeddings: DLG, TAG and LAMP."""

"""Sentences, and the weights and vocabularies of language models."""

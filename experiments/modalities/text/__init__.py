"""Sentences, for language models."""

"""Attacks on any input that is a vector of numbers: pictures, tables, embeddings."""

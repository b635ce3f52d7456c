"""Tests of what only sentences have."""

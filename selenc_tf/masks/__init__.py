"""Mask policies (scores to mask), how a cohort agrees on a mask, and its wire form."""

"""Minimisers that the searches share, and the BLAS threads under them."""

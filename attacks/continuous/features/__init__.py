"""Inputs of a dense layer read off gradients, and examples found from them."""

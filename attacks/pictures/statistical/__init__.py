"""Attackers that have pictures of the same kind, and learn from their gradients.

public_gradients  gradients of public pictures at the round's weights
gaussian          hidden entries given visible ones
imputation        matching with hidden entries filled in
learned_inverter  from visible entries to pictures, by a network or linearly
posterior_regression  a single example by regressions about ever closer guesses
baselines         guesses without a gradient, and the nearest public picture
"""

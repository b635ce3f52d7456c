"""Keras models as functions of their weights, and the models of the field."""

"""The masks suite: what choosing the hidden entries costs."""

"""Speed of the attacks, beside PyTorch and a published recipe."""

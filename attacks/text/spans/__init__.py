"""What a Transformer's gradient says about the vectors that its layers multiplied."""

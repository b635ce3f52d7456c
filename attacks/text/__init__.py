"""What only sentences have: tokens, the spans of a Transformer's layers, bags of words."""

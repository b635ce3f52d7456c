"""How much of true sentences a reconstruction shows."""

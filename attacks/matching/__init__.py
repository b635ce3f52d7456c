"""How far two gradients agree where both are visible, and the slope of that."""

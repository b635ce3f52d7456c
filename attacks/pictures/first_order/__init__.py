"""Published searches for pictures, each a recipe of the first-order engine."""

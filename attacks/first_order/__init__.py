"""Gradient matching by Adam: distances, priors and steps as recipes of one engine.

recipes       what published attacks differ in
distances     of two gradients, as far as they are visible
priors        of pictures
engine        many trials as one compiled program
search        from a view to trials, and back to a reconstruction
"""

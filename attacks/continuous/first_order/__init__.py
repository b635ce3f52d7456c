"""Gradient matching by Adam: distances, priors and steps as recipes of one engine.

recipes       what published attacks differ in
engine        many trials as one compiled program
search        from a view to trials, and back to a reconstruction
"""

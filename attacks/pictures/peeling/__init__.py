"""Layers of a ReLU network taken off from the top, then a search below them.

* `forward.py`: that network, from the pictures up to any depth.
* `top.py`: the dense layers' inputs and derivatives, read off their gradients.
* `convolution.py`: a convolution's input from its kernel's gradient.
* `pooled.py`: the same where a pooling hides which positions count.
* `walk.py`: that input walked to where the turns of `pooled.py` end too early.
* `peel.py`: these in turn.
* `linearised.py`: activations at a depth and their derivative by every pixel.
* `newton.py`: the picture that the deepest layer reached determines.
* `descent.py`: pictures that fit the deepest layer reached and the gradients below it.
* `search.py`: these searches with their clock and their reports.
* `layer_peeling.py`: the attack.
"""

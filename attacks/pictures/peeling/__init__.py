"""Layers of a ReLU network taken off from the top, then a search below them.

* `forward.py`: that network, from the pictures up to any depth.
* `top.py`: the dense layers' inputs and derivatives, read off their gradients.
* `convolution.py`: a convolution's input from its kernel's gradient.
* `pooled.py`: the same where a pooling hides which positions count.
* `walk.py`: that input walked to where the turns of `pooled.py` end too early.
* `peel.py`: these in turn.
* `descent.py`: pictures that fit the deepest layer reached and the gradients below it.
* `search.py`: that search with its clock and its reports.
* `layer_peeling.py`: the attack.
"""

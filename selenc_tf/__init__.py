"""The pure core: models as functions of weights, significance, masks and the lattice.

Nothing in this package knows TensorFlow Federated, flags or files of results; every
function states which party runs it and what that party sees.
"""

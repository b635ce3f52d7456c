"""Significance metrics, one file each: which entries of a gradient reveal the most.

A metric is a `SignificanceFn`: `ScoreContext -> float32 [n]`, larger = more revealing.
`selenc_tf/catalog.py` lists them.
"""

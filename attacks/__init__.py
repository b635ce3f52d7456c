"""Gradient inversion: what a server's view tells about the clients' pictures.

Every attack is a pure function `(ServerView, Knowledge, Seed) -> Reconstruction`. It
receives what an honest-but-curious server has of a round and what the threat model
grants it beyond that, and never the truth: only `attacks.metrics`, which the
experiment calls afterwards, compares with it.

    ServerView --target--> zero-filled vector, matched entries     (naive | mask_aware)
        |                          |
        +-- weights --+            +--labels--> label or None      (iDLG)
                      v            v
    Knowledge --> matching: objective and gradient, compiled once for a model
                      |
                   lbfgs: bounded starts, judged by the objective alone
                      v
               Reconstruction ....(experiment only)....> metrics.evaluate(., Truth)
"""

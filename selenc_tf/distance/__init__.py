"""How much a mask leaks, predicted without an attack.

All of it runs on the analyst: whoever has the example, as a client or a researcher does,
and wants to know what an attacker could learn of it. Nothing here is an attack, and no
attack may use it. `docs/distance.md` has the definitions, proofs and limits.

n parameters, d unknown inputs (all pixels of the batch), V the visible entries,
J = dg/dx, float64 [n, d].
"""

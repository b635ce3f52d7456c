"""How much of the truth a reconstruction shows. Run by the experiment, not by attacks.

Nothing in `attacks` imports this package: it needs the truth, which no attacker has.
"""

"""What an attack raises where it does not fit; imports nothing."""


class DoesNotApply(ValueError):
    """The attack does not fit the model, target or knowledge; there is no number."""

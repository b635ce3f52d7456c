"""The share of entries that a mask hides, in percent: the real one."""


def percent(asked: float, hidden: int, parameters: int) -> str:
    """Words it, without the sign.

    Args:
      asked: The share that was asked for, in [0, 1].
      hidden: m, the entries that are hidden.
      parameters: n.

    Returns:
      What was asked for, if it is that but for a part of an entry; else the real share,
      with three digits: whole rows, blocks or parts that are always hidden are more.

    Example:
      >>> percent(0.1, 100, 1000), percent(0.1, 439, 1000)
      ('10', '43.9')
    """
    if abs(hidden - asked * parameters) < 1:
        return f"{100 * asked:g}"
    return f"{100 * hidden / parameters:.3g}"

"""A KerasHub model with the inputs that clients have: tokens and a mask."""

import keras


def of_tokens_alone(model: keras.Model, length: int) -> keras.Model:
    """A KerasHub model that takes token ids [b, L] and a padding mask, bool [b, L].

    Args:
      model: Its segments, where it has some, are all 0: one sentence.
      length: L.

    Returns:
      A model that shares the variables of the given one.
    """
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    padding_mask = keras.Input((length,), dtype="bool", name="padding_mask")
    given = {
        "token_ids": token_ids,
        "padding_mask": keras.ops.cast(padding_mask, "int32"),
        "segment_ids": keras.ops.zeros_like(token_ids),
    }
    return keras.Model(
        {"token_ids": token_ids, "padding_mask": padding_mask},
        model({key: given[key] for key in model.input}),
        name=model.name,
    )

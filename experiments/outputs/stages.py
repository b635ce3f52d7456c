"""The stages of a training round whose seconds are recorded."""

import enum


class Stage(enum.StrEnum):
    """As records name them, in the order of a round. See `TITLES`."""

    CHOOSE = "choose"
    ENCRYPT = "encrypt"
    ADD = "add"
    DECRYPT = "decrypt"
    REST = "rest"


TITLES = {
    Stage.CHOOSE: "Choosing the mask",
    Stage.ENCRYPT: "Quantising and encrypting",
    Stage.ADD: "Checking and adding",
    Stage.DECRYPT: "Decrypting",
    Stage.REST: "Local training and the rest",
}
"""In the words of tables."""

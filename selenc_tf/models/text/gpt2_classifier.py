"""GPT-2 with a head for classes, which KerasHub has for BERT but not for GPT-2."""

from typing import Any

import keras
import keras_hub


@keras.saving.register_keras_serializable("selenc_tf")
class GPT2TextClassifier(keras.Model):
    """A dense layer on the last real token, as GPT-2 is used for classes elsewhere.

    (Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018,
    section 3.2.) The layer has a bias, as the heads of KerasHub's classifiers have.

    Attributes:
      backbone: The `GPT2Backbone`.
      num_classes: c.
      dropout: Rate before the dense layer.
      output_dense: The dense layer, `logits`.
    """

    def __init__(
        self,
        backbone: keras_hub.models.GPT2Backbone,
        num_classes: int,
        dropout: float = 0.1,
        **kwargs: Any,
    ):
        """Makes the model.

        Args:
          backbone: A `GPT2Backbone`.
          num_classes: c.
          dropout: Rate in [0, 1) before the dense layer.
          **kwargs: Of `keras.Model`.
        """
        output_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="classifier_dropout"
        )
        output_dense = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy,
            name="logits",
        )
        inputs = backbone.input
        hidden = backbone(inputs)
        last = _last(hidden, inputs["padding_mask"])
        super().__init__(inputs, output_dense(output_dropout(last)), **kwargs)
        self.backbone = backbone
        self.num_classes, self.dropout = num_classes, dropout
        self.output_dropout, self.output_dense = output_dropout, output_dense

    def pooled(self, hidden: Any, mask: Any, training: bool) -> Any:
        """What the head multiplies [b, d], of the output [b, l, d] and the mask [b, l]."""
        return self.output_dropout(_last(hidden, mask), training=training)

    def get_config(self) -> dict[str, Any]:
        """What it was made of."""
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GPT2TextClassifier":
        """Makes it again, with new values."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


def _last(hidden: Any, mask: Any) -> Any:
    """The last real position of each row, [b, d]; a row without any has its first."""
    real = keras.ops.sum(keras.ops.cast(mask, "int32"), axis=1)
    place = keras.ops.maximum(real - 1, 0)[:, None, None]
    return keras.ops.squeeze(keras.ops.take_along_axis(hidden, place, axis=1), axis=1)

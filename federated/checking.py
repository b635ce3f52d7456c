"""The validator of models, as the face of the package gives it."""

from selenc_tf.models.checking import ModelReport as ModelReport
from selenc_tf.models.checking import check_model as check_model

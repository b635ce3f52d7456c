"""Lines of a text file, with refusals that name the line and show nothing of it."""

import pathlib


def of_file(path: pathlib.Path, encoding: str = "utf-8-sig") -> list[str]:
    """The lines of a file.

    Args:
      path: The file.
      encoding: UTF-8, with or without a byte-order mark, by default.

    Returns:
      The lines without their ends (a newline, or a carriage return and a newline).

    Raises:
      ValueError: If the file has other bytes.
    """
    return of_bytes(path.read_bytes(), str(path), encoding)


def of_bytes(whole: bytes, name: str, encoding: str = "utf-8-sig") -> list[str]:
    """The lines of a file's bytes; see `of_file`."""
    try:
        text = whole.decode(encoding)
    except UnicodeDecodeError as error:
        number = whole[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{name} must be a text in UTF-8, but line {number} is not: it has a byte "
            f"{whole[error.start]:#04x} that is no part of a letter. Save the file as "
            "UTF-8."
        ) from error
    # Not `splitlines`: it also cuts at letters that may stand inside a sentence.
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return found[:-1] if found and not found[-1] else found

"""The answer of a page as text, for a terminal or a notebook."""

from collections.abc import Iterator

from experiments.outputs.report import answer, meaning
from experiments.outputs.report.page import Page


def of(page: Page) -> str:
    """What the first screen of a report says: what leaks, how sure that is, the cost.

    Args:
      page: The report.

    Returns:
      Paragraphs: what the result means, what is missing, who attacks, what went wrong;
      the answers where it is not said what the result means.
    """
    return "\n".join(_lines(page))


def _lines(page: Page) -> Iterator[str]:
    for group in page.groups:
        if group.meaning:
            yield f"{meaning.HEADING} ({group.title}): {' '.join(group.meaning)}"
    yield from page.notes
    for group in page.groups:
        yield f"{group.title}{f' ({group.differs})' if group.differs else ''}"
        yield group.attacker
        for one in group.answers:
            # What it means has the same in short, but not why there is no result.
            if group.meaning and not one.leaks.startswith(answer.NO_RESULT):
                continue
            yield f"* {one.about}: {one.leaks}"
            yield from [f"  {one.bytes}"] if one.bytes else []
    if not page.groups:
        yield "Nothing was attacked: nothing is said of what leaks."
        return
    yield answer.BOUND
    yield from page.measures
    yield from page.passed
    yield from page.trouble

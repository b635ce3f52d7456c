"""What a path is found by: every folder in which a name is looked up, and every link."""

import errno
import os
import pathlib

_MOST_LINKS = 40
"""As Linux has it."""


def steps_to(path: pathlib.Path) -> list[pathlib.Path]:
    """The folders and links by which a path is found, from the root.

    Links are followed one name at a time. So a folder that is passed between two links is
    among them, which stands in neither the path nor the one that it leads to.

    Args:
      path: Absolute.

    Returns:
      All of them but what the path leads to in the end, each by a name without links above
      it. From a name that is not there on, the names are taken for folders.

    Raises:
      OSError: If links lead in a circle.
    """
    here, names = pathlib.Path(path.anchor), [*reversed(path.parts[1:])]
    steps, links = [here], 0
    while names:
        name = names.pop()
        step = here.parent if name == ".." else here / name
        if not step.is_symlink():
            here = step
            if names:
                steps.append(here)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        steps.append(step)
        target = pathlib.Path(os.readlink(step))
        if target.is_absolute():
            here = pathlib.Path(target.anchor)
            steps.append(here)
        names += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return steps

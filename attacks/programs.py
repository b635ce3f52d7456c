"""Compiled programs, made once for all attacks of a study.

Tracing an objective takes seconds, running it milliseconds. Whoever makes several attacks
passes one `Programs` to their builders; an attack without one compiles its own.
"""

from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

_Options = ParamSpec("_Options")
_Program = TypeVar("_Program")


class Programs:
    """A memo of builders: the same builder with equal arguments builds once.

    It holds no knowledge of any victim: what varies between attacks (weights, targets,
    masks, labels, candidates) is an input of the programs.
    """

    def __init__(self) -> None:
        """Starts with nothing built."""
        self._built: dict[Hashable, tuple[Any, Any]] = {}

    def of(
        self,
        build: Callable[_Options, _Program],
        *arguments: _Options.args,
        **options: _Options.kwargs,
    ) -> _Program:
        """Builds a program, or returns the one that was built before.

        Args:
          build: A pure builder, such as `matching.build_matching`.
          *arguments: Of the builder. What cannot be hashed, as a model that holds
            tensors, is the same only if it is the same object.
          **options: Of the builder.

        Returns:
          What `build(*arguments, **options)` returns.
        """
        key = _key(build, arguments, options)
        if key not in self._built:
            self._keep(key, arguments, options, build(*arguments, **options))
        program: _Program = self._built[key][1]
        return program

    def use(
        self,
        program: _Program,
        build: Callable[_Options, _Program],
        *arguments: _Options.args,
        **options: _Options.kwargs,
    ) -> None:
        """Gives out another program where this one would be built.

        Such as the objective in float32 for large models, or one that is watched.

        Args:
          program: What `of` returns from now on for the same builder and arguments.
          build: See `of`.
          *arguments: See `of`.
          **options: See `of`.
        """
        self._keep(_key(build, arguments, options), arguments, options, program)

    def _keep(self, key: Hashable, arguments: Any, options: Any, program: Any) -> None:
        # The arguments are kept, so that no other object gets their identity.
        self._built[key] = ((arguments, options), program)


def _key(
    build: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Hashable:
    return (
        build,
        tuple(_identity(one) for one in arguments),
        tuple((name, _identity(one)) for name, one in sorted(options.items())),
    )


def _identity(argument: Any) -> Hashable:
    try:
        hash(argument)
    except TypeError:
        return ("object", id(argument))
    return ("value", argument)

"""A function of a verb's options shown with the options as arguments: `@taking(Search) def search(asked: Search)`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")


def taking(
    made: Callable[P, A], filled: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] | None = None
) -> Callable[[Callable[[A], R]], Callable[P, R]]:
    """Give a function of a value the parameters of the value's class: `@taking(Search) def search(asked: Search)`.

    `filled(made, given)` may add arguments to those given.
    """

    def of(carry_out: Callable[[A], R]) -> Callable[P, R]:
        @wraps(carry_out)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            _check_names(carry_out.__name__, kwargs, signature(made).parameters)
            if filled is None:
                return carry_out(made(*args, **kwargs))
            given = signature(made).bind(*args, **kwargs).arguments
            return carry_out(cast(Callable[..., A], made)(**filled(made, given)))

        returned = signature(carry_out).return_annotation
        call.__signature__ = signature(made).replace(return_annotation=returned)  # type: ignore[attr-defined]
        return call

    return of


def _check_names(who: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError, as Python does, for an argument of another name; the message has the nearest names."""
    for name in given:
        if name not in known:
            near = ", ".join(get_close_matches(name, known, 3)) or ", ".join(known)
            raise TypeError(f"{who}: unknown argument {name!r}, near are {near}")

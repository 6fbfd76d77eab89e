"""The parameters of the command, made from a dataclass of options: typer reads them as a signature.

A command is a function of one value, `@verb(app, Report) def report(asked: Report)`. Typer is shown a function with one
parameter a field; the typed words become the value. Defaults are the fields' own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from paretune.commands.completion import studies
from search.option_fields import BOUND, MACHINE, SHARED, TRAINED, TRIED, Option, options_of, typed_name

A = TypeVar("A")
PANELS = {
    TRIED: "What is tried",
    MACHINE: "Machines and seconds",
    TRAINED: "Trainings; an option left out stays as the space has it",
    BOUND: "Bounds",
    SHARED: "Places and output",
}
"""Headings of `--help`, by group of options."""
FEW = 12
"""Options up to which a verb's help needs no headings."""
TYPED = (Path, bool, int, float, str)
"""Types of a typed value; of a union the first is taken, so text for a path is a path."""


def verb(
    app: typer.Typer,
    made: type[A],
    filled: Callable[[type[A], Mapping[str, Any]], Mapping[str, Any]] | None = None,
    *,
    name: str = "",
    panel: str | None = None,
) -> Callable[[Callable[[A], None]], Callable[[A], None]]:
    """Make a function of a value a command, whose options are the fields of the value; "" for the function's name.

    `panel` is the heading of the verb in `paretune --help`. `filled(made, given)` may add fields to those given by
    typed words.
    """

    def command(carry_out: Callable[[A], None]) -> Callable[[A], None]:
        def typed(context: typer.Context, **words: Any) -> None:
            options = options_of(made)
            given = {name: _value(word, options[name]) for name, word in words.items() if _is_typed(context, name)}
            carry_out(made(**(filled(made, given) if filled else given)))

        context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [context, *_parameters(made)]
        typed.__doc__ = carry_out.__doc__
        typed.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        typed.__annotations__ = {each.name: each.annotation for each in parameters}
        app.command(name or carry_out.__name__, rich_help_panel=panel)(typed)
        return carry_out

    return command


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _parameters(made: type) -> list[Parameter]:
    hints, defaults = get_type_hints(made), {each.name: each.default for each in fields(made)}
    options = options_of(made)
    panels = PANELS if len(options) > FEW else {}
    return [
        _parameter(name, hints[name], defaults[name], option, panels.get(option.group))
        for name, option in options.items()
    ]


def _parameter(name: str, hint: Any, default: Any, option: Option, panel: str | None) -> Parameter:
    kind = _kind(hint, option)
    if option.is_argument:
        complete = studies if option.is_study else None
        place = typer.Argument(
            help=option.help, metavar=option.name or None, show_default=False, autocompletion=complete
        )
        if default is MISSING:
            return Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, place])
        default = None if default == () else default
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind | None, place])
    read = option.read and partial(_read, option.read)
    dashed = typer.Option(
        typed_name(name, option),
        help=option.help,
        metavar=option.metavar,
        parser=read,
        rich_help_panel=panel,
    )
    if isinstance(default, tuple):
        default = (",".join(default) or None) if option.commas else None
    kind = kind | None if default is None else kind
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, dashed])


def _kind(hint: Any, option: Option) -> Any:
    """The type of the typed value: a word with commas or a list for a tuple, else the first of `TYPED` in `hint`."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if any(get_origin(kind) is tuple for kind in kinds):
        return str if option.commas else list[str]
    return next(kind for kind in TYPED if kind in kinds)


def _value(word: Any, option: Option) -> Any:
    """The field's value, from the value that typer read."""
    if option.commas:
        return tuple(part.strip() for part in word.split(","))
    return tuple(word) if isinstance(word, list) else word


def _read(read: Callable[[str], object], text: str) -> object:
    """The value that `read` makes of the text; typer puts the option's name before a complaint."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

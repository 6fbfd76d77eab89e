"""The commands that look at stored models: `robustness`, `speed`, `layers`, `attention`."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import typer

from paretune.commands.signature import verb
from paretune.options import view as asked
from paretune.verbs import view as views
from paretune.verbs.attention import attention_page
from paretune.words.terminal import print_table
from paretune.words.view import layers_table, robustness_table, speed_table

MODELS = "Look at models"
"""Heading of the verbs in `paretune --help`."""
view_app = typer.Typer()
"""The commands, which `paretune/cli.py` adds to its own."""


@verb(view_app, asked.Robustness, panel=MODELS)
def robustness(options: asked.Robustness) -> None:
    """The quality of points on corrupted test images, beside the clean ones: motion blur, occlusion, brightness."""
    severity = asked.SEVERITY if options.severity is None else options.severity
    with redirect_stdout(sys.stderr):  # what a user's own network prints is no table
        found = views.robustness_of(
            options.study, options.points, options.corrupt, severity, home=options.home, data=options.data
        )
    if options.json:
        return _print_json(found)
    return print_table(robustness_table(found))


@verb(view_app, asked.Speed, panel=MODELS)
def speed(options: asked.Speed) -> None:
    """Times of points by batch size on this machine, beside the speed-up promised by their MACs."""
    with redirect_stdout(sys.stderr):
        found = views.speed(
            options.study,
            options.points,
            options.numbers,
            options.against,
            threads=options.threads,
            home=options.home,
            data=options.data,
        )
    if options.json:
        return _print_json(found)
    return print_table(speed_table(found))


@verb(view_app, asked.Layers, panel=MODELS)
def layers(options: asked.Layers) -> None:
    """Channels, ranks and zeros of points by layer, beside the unpruned networks; with --trial, along a curve."""
    with redirect_stdout(sys.stderr):
        found = views.layers(options.study, options.points, trial=options.trial, home=options.home)
    if options.json:
        return _print_json(found)
    return print_table(layers_table(found))


@verb(view_app, asked.Attention, panel=MODELS)
def attention(options: asked.Attention) -> None:
    """Attention maps of points on test images, as a picture in an HTML file that needs no network."""
    with redirect_stdout(sys.stderr):
        path = attention_page(
            options.study,
            options.points,
            options.out,
            options.images,
            options.tap,
            home=options.home,
            data=options.data,
        )
    return typer.echo(path)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))

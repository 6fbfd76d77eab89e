"""The look of every figure: a colour-blind safe palette, a plain layout, escaped text."""

from __future__ import annotations

import html

import plotly.graph_objects as go

from compress.quality import ACCURACY, Quality

# Okabe and Ito, https://jfly.uni-koeln.de/color/, less black and yellow: black vanishes on dark, yellow on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
QUIET = "#8A8F98"
HEAT = ("#0B1A2B", "#0072B2", "#56B4E9", "#E69F00", "#FFF4DC")
"""Colours of a map of values, from least to most, each lighter than the one before."""
INK, GRID = "#30343B", "#E4E6EA"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def plain(text: object) -> str:
    """Return text with its markup escaped, for a label, legend or hover text.

    Plotly draws a subset of HTML in every text. Plotly knows `&lt;` but not `&quot;`: quotes stay as they are.
    """
    return html.escape(str(text), quote=False)


def colours(levels: list[str]) -> dict[str, str]:
    """Return a colour for every level, in order; levels beyond the palette share a grey."""
    return {level: PALETTE[i] if i < len(PALETTE) else QUIET for i, level in enumerate(levels)}


def figure(x: str, y: str, *, height: int = 440) -> go.Figure:
    """Return an empty figure with the common layout and axis titles; `height` in pixels."""
    drawing = dress(go.Figure(), height=height)
    drawing.update_xaxes(title_text=x)
    drawing.update_yaxes(title_text=y)
    return drawing


def dress(drawing: go.Figure, *, height: int) -> go.Figure:
    """Give a figure and all its panels the common layout, in place; return the figure. `height` in pixels."""
    drawing.update_layout(
        template="none",
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="rgba(0,0,0,0)",
        height=height,
        margin={"l": 12, "r": 12, "t": 28, "b": 12},
        hovermode="closest",
        hoverlabel={"align": "left", "font": {"family": FONT, "size": 12}},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True, "title_standoff": 8}
    return drawing.update_xaxes(**axis).update_yaxes(**axis)


def set_quality_axis(drawing: go.Figure, quality: Quality) -> None:
    """Make up the better direction of the vertical axis, in place; an axis of accuracy is in percent."""
    drawing.update_yaxes(
        tickformat=".0%" if quality == ACCURACY else None, autorange=None if quality.higher_is_better else "reversed"
    )


def note_empty(figure: go.Figure, text: str) -> go.Figure:
    """Write in the middle of a figure why it is empty, in place; return the figure."""
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=160)
    return figure.add_annotation(
        text=plain(text), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5, font={"color": QUIET}
    )

"""How every figure looks: a colour-blind safe palette, a quiet layout, and text that stays text."""

from __future__ import annotations

import html

import plotly.graph_objects as go

# Okabe and Ito, https://jfly.uni-koeln.de/color/, less black and yellow: each vanishes on one ground.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
QUIET = "#8A8F98"
INK, GRID = "#30343B", "#E4E6EA"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def plain(text: object) -> str:
    """The text with markup disarmed, for a label, legend or hover text.

    Plotly draws a subset of HTML in every text. It knows `&lt;` but not `&quot;`, so quotes stay as they are.
    """
    return html.escape(str(text), quote=False)


def colours(levels: list[str]) -> dict[str, str]:
    """A colour for each level, in order; those past the palette share the quiet grey."""
    return {level: PALETTE[i] if i < len(PALETTE) else QUIET for i, level in enumerate(levels)}


def figure(x: str, y: str, *, height: int = 440) -> go.Figure:
    """An empty figure with our layout and axis titles."""
    drawing = dress(go.Figure(), height=height)
    drawing.update_xaxes(title_text=x)
    drawing.update_yaxes(title_text=y)
    return drawing


def dress(drawing: go.Figure, *, height: int) -> go.Figure:
    """Give a figure, and every panel of it, our layout; `height` in pixels. Changes it and hands it back."""
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


def note_empty(figure: go.Figure, text: str) -> go.Figure:
    """Say in the middle of a figure why it is empty."""
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=160)
    return figure.add_annotation(
        text=plain(text), showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5, font={"color": QUIET}
    )

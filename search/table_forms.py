"""Forms of a table as text: GitHub's markdown, and LaTeX in the style of booktabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10

from compress.figures import Figure

MISSING = "-"
LATEX_MISSING = "--"
NEEDS = r"needs \usepackage{booktabs}"
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
}


def markdown_lines(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """Return the lines of a markdown table; the first `words` columns are left-aligned, the others right-aligned."""
    cells = [[_folded(word).replace("|", "\\|") for word in row] for row in (head, *rows)]
    wide = [max(2, *(len(row[at]) for row in cells)) for at in range(len(head))]
    rule = ["-" * width if at < words else f"{'-' * (width - 1)}:" for at, width in enumerate(wide)]
    return [
        "| "
        + " | ".join(c.ljust(w) if at < words else c.rjust(w) for at, (c, w) in enumerate(zip(row, wide, strict=True)))
        + " |"
        for row in (cells[0], rule, *cells[1:])
    ]


def latex_lines(
    head: Sequence[str], rows: Sequence[Sequence[str]], words: int, *, comments: Sequence[str] = (), over: str = ""
) -> list[str]:
    """Return the lines of a `tabular`; cells of `rows` are LaTeX already, `head` and `over`, its heading, are texts."""
    figures = len(head) - words
    lines = [f"% {_folded(comment)}" for comment in comments]
    lines += [rf"\begin{{tabular}}{{{'l' * words}{'r' * figures}}}", r"\toprule"]
    if over:
        lines.append(rf"{'& ' * words}\multicolumn{{{figures}}}{{c}}{{{latex(over)}}} \\")
        lines.append(rf"\cmidrule(lr){{{words + 1}-{words + figures}}}")
    lines += [" & ".join(map(latex, head)) + r" \\", r"\midrule"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def latex(text: str) -> str:
    """Return a text with LaTeX's signs escaped."""
    return "".join(_LATEX.get(sign, sign) for sign in _folded(text))


def mean_and_deviation(figure: Figure, mean: float, deviation: float | None) -> str:
    """Return `mean ± deviation` in the figure's form; percent are left for the title to say."""
    text = written(figure, mean)
    return text(mean) + ("" if deviation is None else f" ± {text(deviation)}")


def written(figure: Figure, mean: float) -> Callable[[float], str]:
    """Return how a mean and its deviation are written: in the figure's style, both to the same decimal.

    Whole numbers stay whole.
    """
    style = figure.style
    if style.spec.endswith("g"):
        digits = int(style.spec.strip(".g"))
        decimals = max(0, digits - 1 - (floor(log10(abs(mean))) if mean else 0))
        return lambda value: f"{value:.{decimals}f}"
    whole = style.spec == ","
    return lambda value: style.text(round(value) if whole else value).removesuffix("%")


def is_percent(figure: Figure) -> bool:
    """Return whether the figure is written in percent."""
    return figure.style.text(0.5).endswith("%")


def _folded(text: str) -> str:
    return " ".join(text.split())

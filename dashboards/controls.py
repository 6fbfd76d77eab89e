"""The budget's sliders and the box of the pick, as HTML for the page's script to fill: native controls with labels."""

from __future__ import annotations

import html
from collections.abc import Mapping

from dashboards.page import section

BOUNDS = {
    "max_params": "parameters at most",
    "max_macs": "MACs at most",
    "max_size_bytes": "bytes on disk at most",
    "max_latency_ms": "latency in ms at most",
    "min_accuracy": "accuracy at least",
}
FIGURES = {
    "validation": "validation",
    "test": "test",
    "params": "params",
    "macs": "MACs",
    "flops": "FLOPs",
    "size_bytes": "bytes",
    "latency_ms": "ms",
}
AXES = {
    "params": "params",
    "nonzero_params": "non-zero params",
    "macs": "MACs",
    "flops": "FLOPs",
    "size_bytes": "bytes",
    "compressed_bytes": "bytes, deflated",
    "latency_ms": "latency",
}


def budget(pick: Mapping[str, str], name: str, command: str) -> str:
    """Return the section for picking a model within a budget.

    Until the script has run, and on paper, the section shows the most accurate model: `pick` has its figures by the
    keys of `FIGURES` (empty if the study has no model), `name` its name, `command` the command that exports it.
    """
    fields = "\n".join(_field(bound, label) for bound, label in BOUNDS.items())
    figures = "".join(
        f'<div><dt>{label}</dt><dd data-figure="{key}">{html.escape(pick.get(key, ""))}</dd></div>'
        for key, label in FIGURES.items()
    )
    hidden = "" if pick else " hidden"
    return section(
        "Take a model",
        f"""<div class="take">
<fieldset id="controls" disabled><legend>Budget</legend>
{fields}
<button type="button" id="reset">No bounds</button>
</fieldset>
<div class="pick">
<p class="name" id="pick-name" role="status">{html.escape(name)}</p>
<dl id="pick-figures"{hidden}>{figures}</dl>
<p id="pick-recipe"></p>
<p id="pick-misses" hidden></p>
<p id="pick-binding" hidden></p>
<p id="pick-more" hidden></p>
<p class="take-it">Chosen on validation, test is only reported. It is taken by</p>
<pre tabindex="0" aria-label="command"><code id="pick-command">{html.escape(command)}</code></pre>
</div>
</div>""",
    )


def _field(bound: str, label: str) -> str:
    return f"""<div class="bound" data-bound="{bound}">
<label for="slide-{bound}">{label}</label>
<input type="range" id="slide-{bound}" min="0" max="1" step="1">
<input type="text" id="type-{bound}" aria-label="{label}, typed" placeholder="no bound" autocomplete="off" \
spellcheck="false" aria-describedby="note-{bound}">
<small id="note-{bound}" role="alert"></small>
</div>"""


def axes(has_published: bool) -> str:
    """Return the radio buttons for the cost axis of the front, and a checkbox for published results if known."""
    radios = "".join(
        f'<label><input type="radio" name="cost" value="{key}"{" checked" if key == "params" else ""}>{label}</label>'
        for key, label in AXES.items()
    )
    layer = '<label><input type="checkbox" id="published">published results</label>' if has_published else ""
    return f'<fieldset class="axes"><legend>Against</legend>{radios}{layer}</fieldset>'

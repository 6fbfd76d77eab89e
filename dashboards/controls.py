"""The budget's sliders and the box of the pick, as HTML for the page's script to fill: native controls with labels."""

from __future__ import annotations

import html
from collections.abc import Mapping

from compress.figures import COSTS, MAIN, TIES, Figure, graded
from compress.quality import ACCURACY, Quality
from dashboards.models import Models
from dashboards.page import section


def bounded(quality: Quality) -> tuple[Figure, ...]:
    """Return the figures with a slider, the quality last."""
    return (*MAIN, graded(quality)[0])


def picked(quality: Quality) -> tuple[Figure, ...]:
    """Return the figures of the pick, without those that differ from another by zeros alone."""
    return tuple(one for one in (*graded(quality), *COSTS) if not one.is_sparse)


def labels(models: Models) -> dict[str, str]:
    """Return the labels of all figures of the pick by key: the metrics measured beside the quality come last."""
    figures = {one.key: one.label for one in picked(models.study.quality)}
    return figures | {key: " ".join(key.rsplit("_", 1)) for key in models.also}


def budget(models: Models, pick: Mapping[str, str], name: str, command: str) -> str:
    """Return the section for picking a model within a budget.

    Until the script has run, and on paper, the section shows the best model: `pick` has its figures by the keys of
    `labels` (empty if the study has no model), `name` its name, `command` the command that exports it.
    """
    fields = "\n".join(
        _field(one.bound, html.escape(f"{one.title} at {'least' if one.is_least else 'most'}"))
        for one in bounded(models.study.quality)
    )
    figures = "".join(
        f'<div><dt>{html.escape(label)}</dt><dd data-figure="{html.escape(key)}">{html.escape(pick.get(key, ""))}</dd>'
        "</div>"
        for key, label in labels(models).items()
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
        f'<label><input type="radio" name="cost" value="{cost.name}"{"" if at else " checked"}>{cost.label}</label>'
        for at, cost in enumerate(COSTS)
    )
    layer = '<label><input type="checkbox" id="published">published results</label>' if has_published else ""
    return f'<fieldset class="axes"><legend>Against</legend>{radios}{layer}</fieldset>'


def legend(quality: Quality) -> dict[str, object]:
    """The table of figures for the page's script, ready for JSON.

    `costs` has a row a cost; a cost without a column in `dashboards.models.columns` is `times` as much as the cost in
    `of`. `bounds` has the keys of figures with a slider, by bound. `ties` names the costs that rank equally good
    models. `quality` has the line between scores and values, and how a value is written: `form` is percent (accuracy
    alone), share or value.
    """
    costs = [
        {
            "name": cost.name,
            "unit": cost.style.unit,
            "axis": cost.axis,
            "bound": cost.bound,
            "main": cost in MAIN,
            "whole": cost.style.spec == ",",
            "of": cost.of if cost.is_computed else "",
            "times": cost.times,
        }
        for cost in COSTS
    ]
    validation = graded(quality)[0]
    form = "percent" if quality == ACCURACY else "share" if quality.is_share else "value"
    told = {
        **quality.as_json(),
        "title": validation.title,
        "axis": validation.axis,
        "bound": validation.bound,
        "higher": quality.higher_is_better,
        "form": form,
    }
    bounds = {one.bound: one.key for one in bounded(quality)}
    return {"costs": costs, "quality": told, "bounds": bounds, "ties": [cost.name for cost in TIES]}

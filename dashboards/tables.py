"""The report's tables, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from compress.figures import MAIN, graded
from compress.quality import ACCURACY, Quality
from dashboards import spending
from dashboards.choices import summary
from dashboards.curves import Curve
from dashboards.models import TEACHER, Models
from dashboards.page import Column, Follows, paragraph, section, table
from search.selection.budget import Amount, Budget
from search.selection.selection import choose
from search.study.endings import ending, reason
from search.study.recipe_words import recipe_words
from search.study.record import StudyRecord
from search.tracking.tables import SHARES

_SIZE, *_OTHERS = MAIN
_COSTS = (*(Column(cost.label) for cost in _OTHERS), Column("variant", "word"))


def best_by_size(models: Models) -> str:
    """Return a section: the best model under each share of the teacher's parameters; "" without a teacher."""
    if models.teacher is None:
        return ""
    columns = [Column("at most", "word"), *_heads(models.study.quality), Column("best on test", "word")]
    rows = []
    for share in SHARES:
        most = share * models.means[models.teacher].measured.params
        budget = Budget(max_params=Amount(share, is_share=True)).resolve(models.study.teacher)
        best = choose(models.study.points, budget).best
        if best:
            row = models.row[best.id]
            rows.append([f"{share:.0%} of the teacher's parameters", *_model(models, row), _better(models, row, most)])
    return section("Best under a size", table(columns, rows))


def _better(models: Models, row: int, most: float) -> str:
    """Return the model of at most `most` parameters that is better on test than the row; "" if the row is the best."""
    within = [other for other, mean in enumerate(models.means) if mean.measured.params <= most]
    best = max(within, key=lambda other: models.means[other].measured.score_test)
    found = models.means[best]
    if found.measured.score_test <= models.means[row].measured.score_test:
        return ""
    return f"{graded(models.study.quality)[1].written(found.measured)}, {found.id[:8]}"


def of_front(models: Models) -> str:
    """Return the models of the front, the best first; the page hides rows beyond the budget."""
    rows = models.front
    if not rows:
        return ""
    texts = [[*_model(models, row), *_costs(models, row), _words(models, row)] for row in rows]
    follows = Follows("models of the front", [[row] for row in rows])
    return table([*_heads(models.study.quality), *_COSTS, Column("recipe", "prose")], texts, follows)


def of_breakpoints(models: Models, lines: Sequence[Curve]) -> str:
    """Return the breakpoints of every curve with a model on the front; the page hides rows beyond the budget."""
    members = set(models.front)
    best = [line for line in lines if members.intersection(line.rows)]
    if not best:
        return ""
    quality = models.study.quality
    validation, test = graded(quality)
    unpruned = "unpruned" if quality == ACCURACY else f"unpruned {validation.title}"
    read = (validation.split, test.split)  # a table with the whole label in every head would be too wide
    names = ("trial", "variant", unpruned, "tolerance", *read, "knee", *read)
    rows = [[str(line.trial), line.variant, *_readings(models, line)] for line in best]
    follows = Follows("curves through the front", [line.rows for line in best])
    left = len(lines) - len(best)
    words = f"The {left:,} other curves are in the figure, and paretune breakpoints lists them." if left else ""
    return table([Column(name, "word" if name == "variant" else "figure") for name in names], rows, follows) + (
        paragraph(words) if words else ""
    )


def _readings(models: Models, line: Curve) -> list[str]:
    test = graded(models.study.quality)[1]
    tolerated = models.means[line.tolerance]
    seeds = line.tolerances if len(line.tolerances) > 1 else ()
    spread = f" ({min(seeds):.0%} to {max(seeds):.0%}, {len(seeds)} seeds)" if seeds else ""
    first = [validation(models, line.rows[0]), f"{tolerated.sparsity:.0%}{spread}"]
    first += [validation(models, line.tolerance), test.written(tolerated.measured)]
    if line.knee is None:
        return [*first, "", "", ""]
    bend = models.means[line.knee]
    return [*first, f"{bend.sparsity:.0%}", validation(models, line.knee), test.written(bend.measured)]


def spent(study: StudyRecord) -> str:
    """Return the workers' seconds by kind of work, and the share saved by the store."""
    found = spending.info(study)
    if not found.worked:
        return ""
    share = f"{found.saved / found.anew:.0%}" if found.anew else "0%"
    words = (
        f"The trials worked for {duration(found.worked)}. Without the store their curves would have taken at least "
        f"{duration(found.anew)}: it saved {share}."
    )
    rows = [[kind, f"{seconds:,.1f}", f"{seconds / found.worked:.1%}"] for kind, seconds in found.work.items()]
    return paragraph(words) + table([Column("workers' time", "word"), Column("seconds"), Column("share")], rows)


def unfinished(study: StudyRecord) -> str:
    """Return a section: failed and stopped trials by ending and reason; "" without any."""
    found: dict[tuple[str, str], list[int]] = {}
    for trial in study.trials:
        if trial.status in ("failed", "stopped"):
            found.setdefault((ending(trial), reason(trial)), []).append(trial.id)
    if not found:
        return ""
    recipes = {trial.id: summary(trial.choices) or TEACHER for trial in study.trials}
    rows = [
        [words, str(len(trials)), why, f"trial {trials[0]}: {recipes[trials[0]]}"]
        for (words, why), trials in found.items()
    ]
    heads = (
        Column("ending", "word"),
        Column("trials"),
        Column("reason", "prose"),
        Column("the first of them", "prose"),
    )
    return section("Failed and stopped trials", table(heads, rows))


def _words(models: Models, row: int) -> str:
    """Return the recipe of a row in few words."""
    mean = models.means[row]
    words = recipe_words(mean.recipe, mean.sparsity, mean.variant)
    return ": ".join(filter(None, (TEACHER if row == models.teacher else "", words)))


def _heads(quality: Quality) -> tuple[Column, ...]:
    return (
        Column("point", "word"),
        Column("trial"),
        Column("removed"),
        *(Column(one.label) for one in (*graded(quality), _SIZE)),
    )


def _model(models: Models, row: int) -> list[str]:
    mean, test = models.means[row], graded(models.study.quality)[1]
    figures = [validation(models, row), test.written(mean.measured), _SIZE.written(mean.measured)]
    return [mean.id[:8], str(mean.trial), f"{mean.sparsity:.0%}", *figures]


def _costs(models: Models, row: int) -> list[str]:
    mean = models.means[row]
    return [*(cost.written(mean.measured) for cost in _OTHERS), mean.variant]


def validation(models: Models, row: int) -> str:
    """Return a row's quality on validation in words, with its margin if the row has several seeds."""
    quality, margin = models.study.quality, models.families[row].margin
    figure = graded(quality)[0]
    interval = "" if margin is None else f" ± {figure.style.text(quality.amount(margin))}"
    return figure.written(models.means[row].measured) + interval


def duration(seconds: float) -> str:
    """Return seconds in words, as seconds, minutes or hours."""
    minutes, hours = seconds / 60, seconds / 3600
    if hours >= 3:
        return f"{hours:,.1f} h"
    return f"{minutes:.1f} min" if minutes >= 3 else f"{seconds:.3g} s"

"""Free disk space: delete the models of points that no front needs, and the teachers' logits. Figures stay."""

from __future__ import annotations

from pathlib import Path

from compress.store.bucket import absolute
from compress.store.folder import Store
from search.study.front import ANY_QUALITY, OBJECTIVES, front
from search.study.names import StudyError
from search.study.seeds import front_of
from search.study.study import Study


def clean(study: Study, others: list[Study], *, dry_run: bool = False) -> tuple[int, int]:
    """Delete models of this study's points and the teachers' logits; return the number of models and the bytes freed.

    With `dry_run` nothing is deleted: the numbers are those of the models and logits that would be.

    Kept are the models of the front of the study's objectives and of the fronts of accuracy against every single cost,
    all also of the means over seeds; the models on the fronts of `others`; and the unpruned model at the start of every
    curve. StudyError when the models are not in the home: other homes may need the models there.
    """
    if absolute(study.store) != absolute(str(study.home / "store")):
        raise StudyError(
            f"clean: the models must lie in the home, those of {study.name} are in {study.store}, which others may use"
        )
    needed: set[str] = set()
    for one in (study, *others):
        record = one.record
        for objectives in (record.objectives, *[(ANY_QUALITY, cost) for cost in OBJECTIVES[1:]]):
            needed |= {point.id for point in front(record.points, objectives)}
            needed |= {point.id for family in front_of(record.points, objectives) for point in family.points}
        needed |= {point.id for point in record.points if point.sparsity == 0}
        needed |= {point.id for trial in record.trials if trial.status == "running" for point in trial.points}
    store = Store(Path(study.store))
    freed = [store.drop(point.id, dry_run=dry_run) for point in study.record.points if point.id not in needed]
    return sum(size > 0 for size in freed), sum(freed) + store.drop_views(dry_run=dry_run)

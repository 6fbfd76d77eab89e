"""Training shared by a grid of recipes: trainings without a common store against trainings with a common store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compress.plan import Step, plan
from compress.recipe import Recipe


@dataclass(frozen=True)
class SharedWork:
    """Trainings of a study's recipes: `alone` without a store, `made` with the store, each model once."""

    alone: int
    made: int

    @property
    def sentence(self) -> str:
        """Return the counts in a sentence."""
        return (
            f"The recipes need {self.alone:,} trainings one by one. Each was made once, {self.made:,} in all: "
            f"{1 - self.made / max(1, self.alone):.0%} were shared."
        )


def shared_work(recipes: Iterable[Mapping[str, object]], fingerprint: str) -> SharedWork:
    """Count the trainings of recipes in JSON; `fingerprint` is the task's."""
    alone, keys = 0, set()
    for form in recipes:
        found: dict[str, Step] = {}
        waiting = list(plan(Recipe.from_json(form), fingerprint))
        while waiting:
            step = waiting.pop()
            if step.key not in found:
                found[step.key] = step
                waiting += [one for one in (step.parent, step.original, step.teacher) if one is not None]
        trained = {key for key, step in found.items() if step.stage.lesson is not None}
        alone += len(trained)
        keys |= trained
    return SharedWork(alone, len(keys))

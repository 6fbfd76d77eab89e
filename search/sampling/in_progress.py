"""Track the models in the making: no worker is to wait for a model while there is other work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from compress.plan import Step, plan
from compress.recipe import Recipe


class InProgress:
    """Tracks the models of trials by key.

    Call `add` once for each trial, `start` when a worker begins the trial, `made` with the keys of its points, and
    `end` when the trial ends.
    """

    def __init__(self, fingerprint: str, made: Iterable[str] = ()) -> None:
        self.fingerprint = fingerprint
        self._made = set(made)
        self._steps: dict[int, list[Step]] = {}
        self._making: dict[int, set[str]] = {}
        self._makers: Counter[str] = Counter()

    @property
    def there(self) -> Set[str]:
        """Return the keys of the models made so far."""
        return self._made

    def __contains__(self, key: object) -> bool:
        """Return whether a model is made or in the making."""
        return key in self._made or key in self._makers

    def add(self, trial: int, recipe: Recipe) -> None:
        """Add a trial with the models of its recipe."""
        self._steps[trial] = plan(recipe, self.fingerprint)

    def start(self, trial: int) -> None:
        """Note a worker on the trial: the trial's missing models are in the making."""
        self._making[trial] = _keys(self._steps[trial]) - self._made
        self._makers.update(self._making[trial])

    def made(self, trial: int, keys: Iterable[str]) -> None:
        """Note points of the trial, and all models before them, as made."""
        found = set(keys)
        self._made |= _keys([step for step in self._steps.get(trial, []) if step.key in found])

    def end(self, trial: int) -> None:
        """Note the trial's end: its missing models are no longer in the making."""
        self._steps.pop(trial, None)
        for key in self._making.pop(trial, ()):
            self._makers[key] -= 1
            if not self._makers[key]:
                del self._makers[key]

    def has_more(self, trial: int) -> bool:
        """Return whether a trial that has not ended has points left to make."""
        return any(step.key not in self._made for step in self._steps.get(trial, ()))

    def would_wait(self, trial: int) -> bool:
        """Return whether the trial needs a model in the making by a started trial."""
        return any(key in self._makers for key in _keys(self._steps[trial]) - self._made)


def _keys(steps: Iterable[Step]) -> set[str]:
    """Return the keys of the steps and of all steps before them."""
    found: set[str] = set()
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        if step.key not in found:
            found.add(step.key)
            waiting += [one for one in (step.parent, step.original, step.teacher) if one is not None]
    return found

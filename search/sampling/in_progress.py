"""Models in the making, so that no worker waits for a model while there is other work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from compress.plan import Step, plan
from compress.recipe import Recipe


class InProgress:
    """Follows the models of trials by key: `add` each trial once, `start` it, tell the keys `made`, and its `end`."""

    def __init__(self, fingerprint: str, made: Iterable[str] = ()) -> None:
        self.fingerprint = fingerprint
        self._made = set(made)
        self._steps: dict[int, list[Step]] = {}
        self._making: dict[int, set[str]] = {}
        self._makers: Counter[str] = Counter()

    @property
    def there(self) -> Set[str]:
        """The keys of the models made so far."""
        return self._made

    def __contains__(self, key: object) -> bool:
        """Whether a model is there or in the making."""
        return key in self._made or key in self._makers

    def add(self, trial: int, recipe: Recipe) -> None:
        """Add a trial: it will need the models of this recipe."""
        self._steps[trial] = plan(recipe, self.fingerprint)

    def start(self, trial: int) -> None:
        """A worker makes the trial's models now."""
        self._making[trial] = _keys(self._steps[trial]) - self._made
        self._makers.update(self._making[trial])

    def made(self, trial: int, keys: Iterable[str]) -> None:
        """Note points of the trial as made, and all models before them."""
        found = set(keys)
        self._made |= _keys([step for step in self._steps.get(trial, []) if step.key in found])

    def end(self, trial: int) -> None:
        """The trial makes no more."""
        self._steps.pop(trial, None)
        for key in self._making.pop(trial, ()):
            self._makers[key] -= 1
            if not self._makers[key]:
                del self._makers[key]

    def would_wait(self, trial: int) -> bool:
        """Whether the trial needs a model that a started trial is about to make."""
        return any(key in self._makers for key in _keys(self._steps[trial]) - self._made)


def _keys(steps: Iterable[Step]) -> set[str]:
    """The keys of the steps and of all steps before them."""
    found: set[str] = set()
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        if step.key not in found:
            found.add(step.key)
            waiting += [one for one in (step.parent, step.original, step.teacher) if one is not None]
    return found

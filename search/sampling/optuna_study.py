"""Optuna proposes recipes: ask and tell on a persistent study.

Every point of a curve is an observation of its own, at its own sparsity. A failed trial is reported as failed, so no
half-trained value counts. After a crash, points that only the ledger has are added on opening.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from search.sampling.journal import open_journal
from search.study.endings import INTERRUPTED
from search.study.front import ANY_QUALITY, Place, is_quality, measured_on, value
from search.study.record import Choice, Point, StudyRecord
from search.uri import in_memory, shown
from spaces.space import place

optuna.logging.set_verbosity(optuna.logging.WARNING)


AUTO, GRID = "auto", "grid"
SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    AUTO: lambda seed: optuna.samplers.RandomSampler(seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=10),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed),
    GRID: lambda seed: optuna.samplers.RandomSampler(seed),
}
"""Optuna's samplers by name.

Choices of `auto` come from `search.sampling.acquisition`, or else are random. Choices of `grid` come from
`search.sampling.grid`.
"""

UNREACHABLE = (optuna.exceptions.StorageInternalError, SQLAlchemyError)
"""Errors of a database that is locked or gone; a journal file raises neither."""


def check_sampler(sampler: str, objectives: Sequence[str]) -> None:
    """Raise ValueError for `auto` without the quality as an objective: costs alone are known before any training."""
    if sampler == AUTO and not any(map(is_quality, objectives)):
        others = ", ".join(name for name in SAMPLERS if name != AUTO)
        raise ValueError(
            f"sampler: {AUTO} must have {ANY_QUALITY} among the objectives, got {', '.join(objectives)}; "
            f"add {ANY_QUALITY}, or choose --sampler of {others}"
        )


class OptunaStudy:
    """Proposes choices of a space for a study; the objectives are defined in `search.study.front`, all minimised."""

    def __init__(
        self,
        storage: optuna.storages.BaseStorage,
        name: str,
        objectives: Sequence[str],
        seed: int,
        sampler: str = "tpe",
    ) -> None:
        self.objectives = tuple(objectives)
        self.name = name
        self.aimed = sampler == AUTO and any(map(is_quality, objectives))
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * len(objectives),
            sampler=SAMPLERS[sampler](seed),
            load_if_exists=True,
        )
        self._own, self._random = self.study.sampler, optuna.samplers.RandomSampler(seed)
        self._storage, self._id = storage, storage.get_study_id_from_name(name)
        self._kinds: dict[tuple[str, BaseDistribution], BaseDistribution] = {}
        self._shared: tuple[int, optuna.trial.FrozenTrial | None] = (-1, None)
        self._told: set[tuple[int, str]] = set()
        self._place: Place | None = None

    def _name_metrics(self) -> None:
        """Name what the samplers are told, for Optuna's tools; `optuna_view` has natural units."""
        names = [f"{name} error" if is_quality(name) else f"log10 {name}" for name in self.objectives]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.set_metric_names(names)

    def begin(self, beginnings: Sequence[Mapping[str, Choice]]) -> None:
        """Enqueue choices, to be asked before any others."""
        for choices in beginnings:
            self.study.enqueue_trial(dict(choices))

    @property
    def waiting(self) -> bool:
        """Return whether enqueued choices are left."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def ask(self, *, at_random: bool = False) -> optuna.Trial:
        """Return a new trial, for the space to ask for values."""
        self.study.sampler = self._random if at_random else self._own
        return self.study.ask()

    def compares(self, point: Point) -> bool:
        """Return whether the point is from the same device as the first point; True unless latency is an objective.

        Optuna gets no points of other devices: their latencies cannot be compared with the first point's.
        """
        here = measured_on(point, self.objectives)
        self._place = self._place or here
        return here == self._place

    def tell_point(self, number: int, point: Point) -> None:
        """Add the point as an observation of the asked trial's choices at the point's own sparsity; once only."""
        last, known = self._shared
        asked = known if number == last and known is not None else self._asked(number)
        if not asked.params or (number, point.id) in self._told:  # a lost trial has no choices
            return
        now = datetime.now()
        made = optuna.trial.FrozenTrial(  # `create_trial` would convert every distribution anew
            number=-1,
            trial_id=-1,
            state=TrialState.COMPLETE,
            value=None,
            values=self.values(point),
            datetime_start=now,
            datetime_complete=now,
            params=place(asked.params, point.sparsity, point.variant),
            distributions=asked.distributions,
            user_attrs={"point": point.id, "of": number},
            system_attrs={},
            intermediate_values={},
        )
        kept = self._storage.get_trial(self._storage.create_new_trial(self._id, template_trial=made))
        # shared: the journal's own copies would take most of a long study's memory
        kept.params, kept.distributions, kept.user_attrs = made.params, asked.distributions, made.user_attrs
        self._told.add((number, point.id))

    def tell_end(self, number: int, points: Sequence[Point]) -> None:
        """End the asked trial with its point nearest to the asked sparsity; as failed without points."""
        asked = self._asked(number)
        if asked.state.is_finished():
            return
        wanted = asked.params.get("sparsity", 1.0)
        best = min(
            filter(self.compares, points),
            key=lambda p: (_misplaced(asked.params, p), abs(p.sparsity - wanted)),
            default=None,
        )
        if best is None:
            self.study.tell(number, state=TrialState.FAIL)
        else:
            self.study.tell(number, self.values(best))

    def _asked(self, number: int) -> optuna.trial.FrozenTrial:
        """Return the trial by its number, without listing all trials; equal distributions are shared."""
        asked = self._storage.get_trial(self._storage.get_trial_id_from_study_id_trial_number(self._id, number))
        if number != self._shared[0]:
            kinds = {(name, kind): kind for name, kind in asked.distributions.items()}
            asked.distributions = {key[0]: self._kinds.setdefault(key, kind) for key, kind in kinds.items()}
            self._shared = number, asked
        return asked

    def forget(self, number: int) -> None:
        """Report the asked trial as failed: the trial will not be run."""
        self.study.tell(number, state=TrialState.FAIL)

    def refuse(self, asked: optuna.Trial, over: Mapping[str, float]) -> None:
        """Report the asked trial as infeasible; `over` has the share by which each bound is exceeded."""
        for name, by in over.items():
            asked.set_constraint(name, by)
        self.study.tell(asked.number, state=TrialState.PRUNED)

    def values(self, point: Point) -> list[float]:
        """Return the error, and the costs as logarithms of base 10. ValueError unless all are finite."""
        told = [
            value(point, name) if is_quality(name) else math.log10(max(value(point, name), 1e-9))
            for name in self.objectives
        ]
        if not all(map(math.isfinite, told)):
            raise ValueError(f"point {point.id}: every objective must be finite, got {told}")
        return told

    def check_ours(self, *, has_asked: bool) -> None:
        """Raise ValueError if the storage holds another study of the same name; `has_asked` if our study has trials."""
        directions = len(self.study.directions)
        if directions != len(self.objectives):
            raise ValueError(
                f"storage: its study {self.name} must have {len(self.objectives)} objectives, got {directions}; "
                "choose another --name"
            )
        found = len(self.study.get_trials(deepcopy=False))
        if found and not has_asked:
            raise ValueError(
                f"storage: must not hold a study {self.name} yet, got {found} trials; choose another --name"
            )

    def _fill(self, last: int) -> None:
        """Add failed trials up to `last`: Optuna may give no number of the ledger out again."""
        for _ in range(len(self.study.get_trials(deepcopy=False)), last + 1):
            self.study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL))

    def catch_up(self, record: StudyRecord, numbers: Mapping[int, int | None]) -> None:
        """Add the points and ends that only the ledger has; `numbers` are Optuna's numbers by the ledger's trials."""
        if self.study.metric_names is None:
            self._name_metrics()
        self._fill(max((number for number in numbers.values() if number is not None), default=-1))
        trials = self.study.get_trials(deepcopy=False)
        self._told = {(t.user_attrs["of"], t.user_attrs["point"]) for t in trials if "point" in t.user_attrs}
        known = {number for number in numbers.values() if number is not None}
        for stray in [t.number for t in trials if t.state == TrialState.RUNNING and t.number not in known]:
            self.forget(stray)
        # waiting for Optuna, asked in the ledger: the journal lost its end
        for lost in [t for t in trials if t.state == TrialState.WAITING and t.number in known]:
            self._storage.set_trial_state_values(lost._trial_id, TrialState.FAIL)
        for trial in record.trials:
            number = numbers[trial.id]
            if number is None:
                continue
            for point in filter(self.compares, trial.points):
                self.tell_point(number, point)
            if trial.status != "running" and trial.reason != INTERRUPTED:
                self.tell_end(number, trial.points if trial.status == "complete" else ())


def open_storage(url: str | None, folder: Path) -> optuna.storages.BaseStorage:
    """Open a database by its URL, or without a URL the journal file in the study's folder.

    ValueError for a database in memory, or a database that cannot be opened.
    """
    if url is None:
        return open_journal(folder / "optuna.journal")
    if in_memory(url):
        raise ValueError(f"storage-url must name a database that lasts, such as sqlite:///PATH, got {url!r}")
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:  # every database driver has errors of its own
        why = str(error).partition("\n")[0]
        raise ValueError(f"storage-url: cannot open {shown(url)!r}: {type(error).__name__}: {why}") from error


@contextmanager
def answering() -> Iterator[None]:
    """Raise ValueError in place of the errors of a database that does not answer."""
    try:
        yield
    except UNREACHABLE as error:
        raise ValueError(f"storage-url must name a database that answers, got {why(error)}; try again later") from error


def why(error: BaseException) -> str:
    """Return the first line of the database's own message."""
    return str(error.__cause__ or error).partition("\n")[0]


def choices_of(trial: optuna.Trial) -> dict[str, Choice]:
    """Return the values the space asked for, by name."""
    return dict(trial.params)


def _misplaced(choices: Mapping[str, Choice], point: Point) -> bool:
    return "int8" in choices and choices["int8"] != (point.variant == "int8")

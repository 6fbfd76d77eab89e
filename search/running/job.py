"""Messages between driver and worker: a job is the config of a Tune trial, a step result the result of a step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from search.study.record import Status


@dataclass(frozen=True)
class Job:
    """A trial for a worker.

    `trial` is its number, `recipe` the recipe's JSON form, `store` a folder or URL, `fingerprint` the task's, `data` a
    folder or None. `threads` and `gpus` (a number, at most 1) are the worker's share of its node. `limit` is the
    trial's seconds or None, `folders` the places of a user's modules, `used` the seconds of earlier workers on the
    trial, `here` the driver's current folder. With `keep_outputs` the outputs of the points are stored. `board` is
    where the worker says what it does, "" for nowhere. `latency` is the JSON form of the study's `LatencyModel`, None
    where the worker measures latencies.
    """

    trial: int
    recipe: Mapping[str, Any]
    store: str
    fingerprint: str | None = None
    data: str | None = None
    threads: int = 1
    gpus: float = 0.0
    limit: float | None = None
    folders: Sequence[str] = ()
    used: float = 0.0
    keep_outputs: bool = False
    here: str = ""
    board: str = ""
    latency: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the config of a Tune trial; dicts are text, as Tune looks into dicts for values to search over."""
        texts = {"recipe": json.dumps(dict(self.recipe)), "latency": json.dumps(self.latency)}
        return {**vars(self), **texts, "folders": list(self.folders)}

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Job:
        """Read a config; keys added by Tune or by a benchmark are passed over."""
        known = {one.name: config[one.name] for one in fields(Job) if one.name in config}
        return Job(
            **{
                **known,
                "recipe": json.loads(config["recipe"]),
                "latency": json.loads(config.get("latency", "null")),
            }
        )


@dataclass(frozen=True)
class StepResult:
    """A worker's points since its last step, and, in the last step, the end of the trial.

    `points` are events as `point_event` makes them, `notes` warnings to show, `spent` seconds since the trial began, by
    purpose. `failed` is the reason of a failed trial, "" of a complete trial, None of any other. Two ends are not the
    trial's fault, and both are "" otherwise: `stuck`, the disk refuses more, and `unfit`, the node has no usable GPU or
    lacks a file of the search. `worked_seconds` are the worker's own seconds, once the trial has ended.
    """

    points: Sequence[Mapping[str, Any]] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    failed: str | None = None
    stuck: str = ""
    unfit: str = ""
    worked_seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Return whether the worker takes no further step for the trial."""
        return self.failed is not None or bool(self.stuck or self.unfit)

    @property
    def status(self) -> Status:
        """Return the trial's status after the step; "running" also after a full disk or on an unfit node."""
        return "running" if self.failed is None else "failed" if self.failed else "complete"

    def as_json(self) -> dict[str, Any]:
        """Return the result of a step of Tune, with Tune's own key `done`; lists and dicts are text."""
        texts = {name: json.dumps(getattr(self, name)) for name in ("points", "spent", "notes")}
        ends = {name: getattr(self, name) for name in ("stuck", "unfit") if getattr(self, name)}
        if self.failed is not None:
            ends = {"failed": self.failed, "worked_seconds": self.worked_seconds}
        return {**texts, "done": self.done, **ends}

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> StepResult:
        """Read a step result among Tune's own keys; KeyError without points."""
        return cls(
            points=json.loads(result["points"]),
            spent=json.loads(result["spent"]),
            notes=json.loads(result.get("notes", "[]")),
            failed=result.get("failed"),
            stuck=result.get("stuck", ""),
            unfit=result.get("unfit", ""),
            worked_seconds=result.get("worked_seconds", 0.0),
        )

    @staticmethod
    def is_last(result: Mapping[str, Any]) -> bool:
        """Return whether a worker wrote the result in its last step; Tune sets `done` in other results as well."""
        return bool(result.keys() & {"stuck", "unfit", "failed"})

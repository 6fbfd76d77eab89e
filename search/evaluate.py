"""What a worker runs: one trial, a few points a step. The only code of this project inside a Ray actor."""

from __future__ import annotations

import errno
import faulthandler
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from compress.errors import DiskError, RecipeError, StoreError
from compress.pipeline import Made, Pipeline
from compress.recipe import Recipe
from compress.remote import open_store
from compress.tasks import load_task
from compress.train import TrainingError
from search.study import point_event
from search.worker_path import settle

STEP_SECONDS = 1.0
GRACE_S = 5.0
"""For a point that is about to be finished at a trial's limit."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Compression(tune.Trainable):
    """Carries out a recipe; every step of Tune gives the next points, the last step says how it ended.

    `config`: trial (number), recipe (JSON text), store, data (paths), threads, limit (seconds or None), folders (where
    a user's modules may lie), and used (seconds) if other workers had begun. An actor is reused: only the loaded task
    is kept.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Begin; everything that can fail happens in `step`, where it can be said."""
        settle(config.get("folders", ()))
        self._take(config)
        if ray.is_initialized() and ray.get_gpu_ids() and not torch.cuda.is_available():
            logging.getLogger("compress").warning(
                "Ray assigned a GPU on %s, but torch sees none there: its trials run on the CPU", socket.gethostname()
            )

    def _take(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(int(config["threads"]))
        self.started = time.perf_counter()
        self.used = float(config.get("used", 0.0))
        self.pipeline: Pipeline | None = None
        self.points: Iterator[Made] | None = None
        torch.cuda.empty_cache()  # a GPU may be shared
        self.notes = _listen()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The points made in the next second or longer, and, once there are no more, how the trial ended.

        A trip to the driver and back costs a tenth of a second on a busy machine, often more than a point; points are
        in the store by then, so none is lost with the worker. `failed` is the reason, "" for a whole curve; `stuck`
        says instead that the disk refuses more, which is not the trial's fault.
        """
        with self._watched():
            return self._step()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """This process ends soon after the trial's limit, as nothing else ends what hangs; the next one says so."""
        if self.config["limit"] is not None:
            faulthandler.dump_traceback_later(GRACE_S + max(0.0, self._left()), exit=True, file=2)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _left(self) -> float:
        """Seconds to the trial's limit."""
        left: float = self.config["limit"] - self.used - (time.perf_counter() - self.started)
        return left

    def _step(self) -> dict[str, Any]:
        started = time.monotonic()
        points: list[dict[str, Any]] = []
        failed: str | None = None
        if self.config["limit"] is not None and self._left() < 0:
            failed = f"took longer than the trial-limit of {self.config['limit']:g} s"
        stuck: dict[str, str] = {}
        while failed is None and not stuck and (not points or time.monotonic() - started < STEP_SECONDS):
            try:
                made = next(self._points(), None)
            except DiskError as error:
                stuck = {"stuck": str(error)}
            except (RecipeError, TrainingError, StoreError) as error:
                failed = str(error)
            except Exception as error:  # a user's own network may raise anything; what Tune gets to see it tries again
                if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                    failed = out_of_memory(str(error) or "this trial asked for more than there is")
                elif getattr(error, "errno", None) in FULL:
                    stuck = {"stuck": f"store: {error}"}
                else:
                    failed = f"{type(error).__name__}: {error}"
            else:
                if made is None:
                    failed = ""
                else:
                    points.append(point_event(made.key, made.sparsity, made.variant, made.measured))
        done = failed is not None or bool(stuck)
        spent = {what: round(seconds, 3) for what, seconds in (self.pipeline.spent if self.pipeline else {}).items()}
        result = {
            "points": json.dumps(points),
            "spent": json.dumps(spent),
            "notes": self._said(),
            "done": done,
            **stuck,
        }
        if failed is None:
            return result
        return {**result, "failed": failed, "worked_seconds": time.perf_counter() - self.started}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """The store keeps what matters."""

    def load_checkpoint(self, checkpoint: object) -> None:
        """The store has what matters."""

    def _points(self) -> Iterator[Made]:
        if self.points is None:
            recipe = Recipe.from_json(json.loads(self.config["recipe"]))
            data = self.config["data"]
            store = open_store(self.config["store"])
            task = load_task(recipe.task, Path(data) if data else None, cache_dir=store.root / "data")
            self.pipeline = Pipeline(task, store)
            self.points = self.pipeline.run(recipe)
        return self.points

    def _said(self) -> str:
        """What `compress` warned of since the last step, for the driver to show."""
        said, self.notes.said = self.notes.said, []
        return json.dumps(said)


def out_of_memory(what: str) -> str:
    """What a trial failed of, and what to do about it."""
    return f"out of memory: {what.splitlines()[0]}; a larger --cpus-per-trial runs fewer trials at once"


class _Notes(logging.Handler):
    """Keeps warnings: what an actor prints reaches nobody."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _listen() -> _Notes:
    """One handler an actor, replaced from trial to trial."""
    logger = logging.getLogger("compress")
    for handler in [h for h in logger.handlers if isinstance(h, _Notes)]:
        logger.removeHandler(handler)
    notes = _Notes()
    logger.addHandler(notes)
    return notes

"""Time a training step of a network: on this machine, or on a worker of the Ray that carries out the search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import ray
import torch
from ray.exceptions import GetTimeoutError
from torch import Tensor, nn

from compress.data.tasks import Task
from compress.estimate import UPDATE
from compress.goals import Goal
from compress.machine.numerics import has_bf16, prefers_channels_last
from compress.measure import using_threads
from compress.models import Model
from search.settings import Settings
from search.worker_path import folders, settle

STEP_S = 0.4
"""Seconds of a timed step, at most."""
STEPS = 3
WAIT_S = 60.0
"""Seconds within which a worker must answer; a GPU's first kernels take some ten."""


@dataclass(frozen=True)
class Timed:
    """A network to time, with what a step needs of its task: outputs, shape (C, H, W), goal and targets of a batch."""

    model: Model
    outputs: int
    shape: tuple[int, int, int]
    goal: Goal
    targets: Tensor

    @classmethod
    def of(cls, model: Model, task: Task, batch_size: int) -> Timed:
        """Return the network with as many targets of the task as a batch has, repeated where the task has fewer."""
        targets = task.train.target_at(torch.arange(batch_size) % len(task.train)).cpu().clone()
        return cls(model, task.outputs, task.shape, task.goal, targets)

    def seconds_an_image(self, threads: int, device: str = "cpu") -> float:
        """Return the seconds of training for an image, forward and backward: the least of `STEPS` steps.

        The batch is smaller where a step would take longer than `STEP_S`. A network too slow for two images is not
        trained at all: the time of the forward pass is multiplied.
        """
        on, most = torch.device(device), len(self.targets)
        with using_threads(threads), torch.random.fork_rng(devices=[] if on.type == "cpu" else [0]):
            model = self.model.build(self.outputs, self.shape[0]).to(on)
            if prefers_channels_last(on):
                model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            forward = self._forward(model.eval(), on)
            if forward < STEP_S or on.type != "cpu":
                forward = self._forward(model, on)  # the first pass includes set-up
            if 2 * UPDATE * forward > STEPS * STEP_S:
                return UPDATE * forward
            batch = min(2, most)  # batch norm over one value is refused
            self._step(model.train(), batch, on)
            batch = max(batch, min(most, int(batch * STEP_S / self._step(model, batch, on))))
            self._step(model, batch, on)  # kernels are chosen for the size of the batch
            return min(self._step(model, batch, on) for _ in range(STEPS)) / batch

    def _forward(self, model: nn.Module, device: torch.device) -> float:
        images = torch.randn(1, *self.shape, device=device)
        start = _now(device)
        with torch.no_grad():
            model(images)
        return _now(device) - start

    def _step(self, model: nn.Module, batch: int, device: torch.device) -> float:
        images, targets = torch.randn(batch, *self.shape, device=device), self.targets[:batch].to(device)
        start = _now(device)
        with torch.autocast("cuda", torch.bfloat16) if has_bf16(device) else nullcontext():
            loss = self.goal.loss(model(images).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return _now(device) - start


def _now(device: torch.device) -> float:
    """Return a time in seconds, once the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def on_worker(timed: Timed, settings: Settings) -> float | None:
    """Return the seconds an image on a worker with a trial's CPUs and GPUs; None if no worker answers in `WAIT_S`.

    The process of the worker ends afterwards, and its GPU memory is free again.
    """
    gpus = settings.gpus_per_trial or 0.0
    remote = ray.remote(num_cpus=settings.cpus_per_trial, num_gpus=gpus, max_calls=1, max_retries=0)(_on_this_worker)
    answer = remote.remote(timed, settings.cpus_per_trial, gpus, folders())
    try:
        seconds: float = ray.get(answer, timeout=WAIT_S)
    except GetTimeoutError:
        ray.cancel(answer, force=True)
        return None
    return seconds


def _on_this_worker(timed: Timed, threads: int, gpus: float, places: Sequence[str]) -> float:
    settle(places)
    return timed.seconds_an_image(threads, "cuda" if gpus else "cpu")

"""The options of `paretune reproduce`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from search.checks import check_whole
from search.option_fields import (
    argument,
    data_setting,
    home_setting,
    json_setting,
    setting,
    setting_of,
    tracking_setting,
)
from search.settings import Settings

TRIAL_IMAGES = 500


def check_folder(out: Path) -> None:
    """Raise ValueError unless files can be written to `out`, a folder that is there or can be made in one."""
    try:
        there = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    except OSError as error:  # a name too long, a loop of links
        raise ValueError(f"out: must be a folder, got {out}: {error.strerror}") from error
    if not there.is_dir():
        raise ValueError(f"out: must be a folder, got {out}, where {there.name} is a file")
    if there not in (out.absolute(), out.absolute().parent):
        raise ValueError(f"out: must be a folder, got {out}, where there is no folder {out.parent}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"out: must be a folder that can be written to, got {out}")


@dataclass(frozen=True)
class Reproduce:
    """The arguments of `paretune.reproduce`, and of the command without `show`; fields as of `Settings`.

    An existing study `name` goes on. `name` None is the paper's name and the task's. With `trial_run` every training
    has an epoch, on `images` images a split. ValueError for `images` without `trial_run`.
    """

    paper: str = field(
        metadata=argument("A paper: malihi2023, slimnets2018, chen2021, aghli2021, resrep2021, singh2019.")
    )
    name: str | None = setting(None, "Name of the study; of paper and task if left out.")
    _: KW_ONLY
    task: str = setting("digits", "Task to repeat the study on; any of `paretune search`.")
    scale: str | None = setting_of(Settings, "scale")
    seeds: int = setting(1, "Make every model with so many seeds.")
    only: tuple[str, ...] | Mapping[str, object] = setting_of(Settings, "only")
    trial_run: bool = setting(False, "Carry out every recipe for an epoch on a few images: it shows that all works.")
    images: int | None = setting(None, f"Images of a split in a trial run; {TRIAL_IMAGES} if left out.")
    out: Path | str | None = setting(None, "Folder for tables and figures; in the study's folder if left out.")
    time_budget_s: float | None = setting_of(Settings, "time_budget_s")
    trial_limit_s: float | None = setting_of(Settings, "trial_limit_s")
    address: str | None = setting_of(Settings, "address")
    cpus_per_trial: int = setting_of(Settings, "cpus_per_trial")
    gpus_per_trial: float | None = setting_of(Settings, "gpus_per_trial")
    storage_url: str | None = setting_of(Settings, "storage_url")
    store: str | None = setting_of(Settings, "store")
    seed: int = setting_of(Settings, "seed")
    home: Path | str | None = home_setting()
    data: Path | None = data_setting()
    tracking_uri: str | None = tracking_setting()
    show: bool = True

    def __post_init__(self) -> None:
        if self.images is not None and not self.trial_run:
            raise ValueError(f"images must come with --trial-run, got {self.images} alone")
        if self.images is not None:
            check_whole("images", self.images, 16, 1_000_000)
        if self.out is not None:
            check_folder(Path(self.out))


@dataclass(frozen=True)
class ReproduceTyped(Reproduce):
    """`paretune reproduce`."""

    _: KW_ONLY
    json: bool = json_setting()

"""Options of the verbs that choose, export and evaluate a model, each the field of a dataclass."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from compress.latency.target import Target
from paretune.options.view import check_corrupt, corrupt_setting, severity_setting
from search.option_fields import argument, data_setting, home_setting, json_setting, setting, tracking_setting
from search.selection.budget import Budget
from search.selection.preference import ACCURACY, LATENCY, PREFERENCES, QUALITY, check_preference


@dataclass(frozen=True)
class Select(Budget):
    """The arguments of `paretune.select`: a budget, how to choose within the budget, and seeds to be made before.

    `prefer` is accuracy (or quality, which is the same), params, latency or knee; `top` is at least 1. ValueError for
    other values.
    """

    name: str = field(metadata=argument("Name of the study.", "study", is_study=True))
    _: KW_ONLY
    prefer: str = setting(ACCURACY, f"What is best within the budget: {', '.join(PREFERENCES)}.")
    robust: bool = setting(False, "Compare by the lower end of the 95% confidence over seeds.")
    reseed: int | None = setting(None, "First make the best, three or --top, with so many seeds in all.")
    top: int = setting(1, "Show so many of the points within the budget, the best first.")
    target: str | None = setting(
        None,
        "Where a latency that decides is measured: FORM:DEVICE:THREADS; the study's, or onnx:cpu:1.",
        metavar="TARGET",
    )
    address: str | None = setting(None, "A running Ray cluster for --reseed, such as auto.")
    home: Path | str | None = home_setting()
    data: Path | None = data_setting()
    tracking_uri: str | None = tracking_setting()
    show: bool = True

    def __post_init__(self) -> None:
        if self.prefer == QUALITY:
            object.__setattr__(self, "prefer", ACCURACY)
        check_preference(self.prefer)
        if self.target is not None:
            Target.parse(self.target)
            if self.prefer != LATENCY and self.max_latency_ms is None:
                raise ValueError(
                    f"target must come with --max-latency-ms or --prefer latency, got {self.target!r} alone"
                )
        if self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")
        super().__post_init__()


@dataclass(frozen=True)
class SelectAndExport(Select):
    """`paretune select`: the choice, and where the chosen model is written.

    ValueError for `address` without `reseed`, `format` without `export`, or an empty `export`.
    """

    _: KW_ONLY
    export: str | None = setting(None, "Write the model to this folder, prove it, register it.", metavar="PATH")
    format: tuple[str, ...] | None = setting(
        None, "What to write there: pt2, onnx, safetensors; without onnx if left out.", commas=True
    )
    corrupt: tuple[str, ...] = corrupt_setting()
    severity: int | None = severity_setting()
    json: bool = json_setting()

    def __post_init__(self) -> None:
        check_corrupt(self.corrupt, self.severity)
        if self.corrupt and self.export is None:
            raise ValueError(f"corrupt must come with --export DIR, got {','.join(self.corrupt)!r} alone")
        if self.address is not None and self.reseed is None:
            raise ValueError(f"address must come with --reseed N, got {self.address!r} alone")
        if self.format is not None and self.export is None:
            raise ValueError(f"format must come with --export DIR, got {','.join(self.format)!r} alone")
        if self.export == "":
            raise ValueError("export must name a folder, got ''")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """`paretune evaluate`."""

    folder: Path = field(metadata=argument("An exported model."))
    task: str | None = setting(None, "Task to measure the model on; its card's if left out.")
    networks: tuple[str, ...] = setting(
        (), "FILE.py:function or package.module:function of a network of your own, whose code may run.", name="network"
    )
    corrupt: tuple[str, ...] = corrupt_setting()
    severity: int | None = severity_setting()
    data: Path | None = data_setting()
    json: bool = json_setting()

    def __post_init__(self) -> None:
        check_corrupt(self.corrupt, self.severity)

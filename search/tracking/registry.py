"""Register a selected model in MLflow: an export as an MLflow model, a version with its budget, an alias.

The version is the export itself with four files beside: `MLmodel` names `model.pt2` as the file that
`mlflow.pyfunc.load_model` and `mlflow.pytorch.load_model` load. MLflow and torch are enough for loading, also where
MLflow may not unpickle.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from compress.export.card import shape_of
from search.selection.amount import Amount
from search.selection.budget import QUALITY_BOUNDS, Budget
from search.selection.preference import ACCURACY, KNEE, LATENCY, PARAMS
from search.study.record import Point
from search.tracking.fields import figures

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "paretune.alias"
EXAMPLE = "input_example.json"
LONGEST = 5000
"""Greatest length of a description in MLflow's database, in characters."""
ATTEMPTS = 4
_PREFERRED = {ACCURACY: "", PARAMS: "smallest-", LATENCY: "fastest-", KNEE: "knee-"}


def alias(budget: Budget, prefer: str = ACCURACY) -> str:
    """Return the alias of a budget: `under-20k-params-2M-flops-over-95-accuracy`, `best` without bounds.

    Equal budgets have equal aliases, however written, in MLflow's characters: letters, digits, `-` and `_`. A share of
    the teacher's is `10-percent`, accuracy is in percent, a decimal point is `_`.
    """
    under = [
        f"{_written(amount)}-{name.removeprefix('max_').replace('_', '-')}"
        for name, amount in budget.bounds.items()
        if name.startswith("max_")
    ]
    least, other = (budget.bounds.get(name) for name in QUALITY_BOUNDS)
    over = [] if least is None else [f"over-{_number(100 * least.value)}-{'percent-' * least.is_share}accuracy"]
    if other is not None:
        over = [f"quality-{f'{_number(100 * other.value)}-percent' if other.is_share else _number(other.value)}"]
    words = "-".join([*(["under", *under] if under else []), *over])
    return (_PREFERRED[prefer] + words).rstrip("-") or "best"


def version_tags(point: Point, budget: Mapping[str, str], prefer: str, study: str) -> dict[str, str]:
    """Return the tags of a version: budget and preference, figures, and origin."""
    preferred = point.quality.name if prefer == ACCURACY else prefer
    bounds = {f"budget.{name}": value for name, value in budget.items()} | {"prefer": preferred}
    measured = {
        name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in figures(point).items()
    }
    origin = {"paretune.study": study, "paretune.trial": str(point.trial), "paretune.point": point.id}
    return {**bounds, **measured, "sparsity": f"{point.sparsity:.4g}", "variant": point.variant, **origin}


def describe(folder: Path) -> str:
    """Return a version's description in Markdown: the export's card, cut after a line to MLflow's limit."""
    text = (folder / "card.md").read_text(encoding="utf-8")
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition("\n")[0]


def write_model(export: Path, folder: Path, run: str) -> None:
    """Write into `folder` the files that turn the export in `export` into an MLflow model once put together.

    The model's input is `images`, float32 `(B, C, H, W)`, any B, normalised with the mean and std in its metadata; the
    output float32 logits `(B, classes)`; the example is noise of mean 0 and variance 1.
    """
    import numpy
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    given = json.loads((export / "card.json").read_text())["input"]
    shape, single = shape_of(given), numpy.dtype("float32")
    model = Model(
        artifact_path="model",
        run_id=run,
        signature=ModelSignature(
            Schema([TensorSpec(single, (-1, *shape))]), Schema([TensorSpec(single, (-1, len(given["classes"])))])
        ),
        saved_input_example_info={"artifact_path": EXAMPLE, "type": "ndarray"},
        metadata={"input": given},
    )
    torch = version("torch")
    model.add_flavor("pytorch", model_data=".", pytorch_version=torch, code=None)
    model.add_flavor(  # as `mlflow.pyfunc.add_to_model` does, whose module warns when it is imported
        "python_function",
        loader_module="mlflow.pytorch",
        python_version=platform.python_version(),
        data=".",
        env={"virtualenv": "python_env.yaml"},
        config={"device": "cpu"},  # a program stays where it was exported, and MLflow would ask for a GPU there is
    )
    model.save(str(folder / "MLmodel"))
    noise = numpy.random.default_rng(0).standard_normal((1, *shape)).round(2)
    (folder / EXAMPLE).write_text(json.dumps(noise.tolist()))
    (folder / "requirements.txt").write_text(f"mlflow=={version('mlflow')}\ntorch=={torch.partition('+')[0]}\n")
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\ndependencies:\n- -r requirements.txt\n"
    )


def add_version(
    client: MlflowClient, name: str, source: str, run: str, tags: Mapping[str, str], description: str, under: str
) -> str:
    """Add the next version of a registered model, made if missing, with the alias `under`; return the version's number.

    The alias points to the newest version registered under that alias, even if several processes register at once: each
    process looks again after moving the alias.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, source, run, {**tags, ALIAS: under}, description=description, await_creation_for=0
    )
    newest, moved = str(made.version), ""
    while newest != moved:
        _move(client, name, under, newest)
        moved = newest
        found = client.search_model_versions(
            f"name = '{name}' and tags.`{ALIAS}` = '{under}'", max_results=1, order_by=["version_number DESC"]
        )
        newest = str(found[0].version) if found else moved
    return str(made.version)


def _move(client: MlflowClient, name: str, under: str, to: str) -> None:
    """Set an alias; try again where another process creates the alias between MLflow's look-up and insert."""
    from mlflow.exceptions import MlflowException

    for left in range(ATTEMPTS)[::-1]:
        try:
            return client.set_registered_model_alias(name, under, to)
        except MlflowException as error:
            if not left or error.error_code not in ("BAD_REQUEST", "TEMPORARILY_UNAVAILABLE"):
                raise
    return None


def _written(amount: Amount) -> str:
    if amount.is_share:
        return f"{_number(100 * amount.value)}-percent"
    for suffix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if amount.value % factor == 0:
            return f"{int(amount.value / factor)}{suffix}"
    return _number(amount.value)


def _number(value: float) -> str:
    digits = f"{round(value, 9):.9f}".rstrip("0").rstrip(".")
    return digits.replace(".", "_")

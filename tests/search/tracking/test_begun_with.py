"""All settings of a study as params, from its header; a header of an earlier version says less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search.tracking.begun_with import data_of, settings_of, study_params
from tests.search.mirrored import study

HEADER: dict[str, Any] = {
    "task": "digits",
    "space": "joint",
    "seed": 3,
    "sampler": "tpe",
    "objectives": ["accuracy", "params"],
    "budget": {"max_params": {"value": 20000.0, "is_share": False}, "min_accuracy": {"value": 0.9, "is_share": True}},
    "gpus_per_trial": 0.5,
    "students": {"cnn": {}, "resnet20": {}},
    "only": {"order": ["prune", "lowrank"]},
    "options": {"trials": 8, "whole_curves": True},
    "fingerprint": "ab" * 32,
    "data": {"train": 10, "validation": 5, "test": 5, "shape": [1, 8, 8]},
    "versions": {"torch": "2.13.0"},
    "reference_point": {"accuracy": 0.0},
}


def test_every_setting_has_a_name_and_a_text() -> None:
    assert settings_of(HEADER) == {
        "task": "digits",
        "space": "joint",
        "seed": "3",
        "sampler": "tpe",
        "gpus_per_trial": "0.5",
        "objectives": "accuracy, params",
        "max_params": "20000",
        "min_accuracy": "90%",
        "students": "cnn, resnet20",
        "only.order": "prune, lowrank",
        "trials": "8",
        "seeds": "1",
        "whole_curves": "True",
        "keep_outputs": "False",
        "data.fingerprint": "ab" * 32,
        "data.train": "10",
        "data.validation": "5",
        "data.test": "5",
        "data.shape": "1 x 8 x 8",
        "version.torch": "2.13.0",
    }


def test_a_header_of_an_earlier_version_has_what_it_recorded_and_no_guess() -> None:
    old = {name: HEADER[name] for name in ("task", "space", "seed", "objectives", "reference_point")}
    assert settings_of(old) == {
        "task": "digits",
        "space": "joint",
        "seed": "3",
        "objectives": "accuracy, params",
    }
    assert data_of(replace(study(), header=old)) is None


def test_a_grid_has_no_number_of_trials_of_its_own() -> None:
    begun = {**HEADER, "sampler": "grid", "options": {}}
    assert "trials" not in settings_of(begun)
    assert settings_of({**begun, "sampler": "auto"})["trials"] == "24"


def test_a_setting_longer_than_mlflow_takes_is_cut() -> None:
    params = study_params(replace(study(), header={**HEADER, "only": {"order": ["x" * 9000]}}))
    assert 1000 < len(params["only.order"]) <= 5000


def test_the_data_have_their_splits_and_their_shape() -> None:
    data = data_of(replace(study(), header=HEADER))
    assert data is not None
    assert (data.name, data.digest, data.shape) == ("digits", "abababab", (1, 8, 8))
    assert data.profile == {"train": 10, "validation": 5, "test": 5}

"""The verbs that look at stored models, as functions and as commands, on a study of real models."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paretune
import paretune.cli
from compress.data.tasks import Task, load_task
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, L1Unstructured, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.bucket import open_store
from compress.training.settings import Training
from search.study.record import point_event
from search.study.study import Study

ONCE = Training(epochs=1)
Typed = Callable[..., str]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study `s` of digits: the plain teacher, then two points of a cut and two of a masked cnn."""
    task: Task = load_task("digits")
    study = Study(tmp_path_factory.mktemp("home"), "s")
    study.begin(
        task="digits",
        space="joint",
        objectives=["accuracy", "params"],
        seed=0,
        reference_point={"accuracy": 0.0, "params": 2000},
        fingerprint=task.fingerprint,
    )
    model, train = Model("cnn", 0.25), Train(Training(epochs=3))
    pruned = [Prune(method, 0.6, OneShot(2), Recovery(ONCE)) for method in (L1Filter(), L1Unstructured())]
    recipes = [Recipe("digits", model, (train, *stages)) for stages in ((), pruned[:1], pruned[1:])]
    for number, recipe in enumerate(recipes):
        study.ask(dict(recipe.as_json()), {}, None)
        for made in Pipeline(task, open_store(study.store)).run(recipe):
            study.add(number, point_event(made.key, made.sparsity, made.variant, made.measured))
        study.end(number, "complete", "", 1.0, {})
    return study


@pytest.fixture
def typed(looked: Study, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Standard output of the command, which must succeed."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["paretune", *words, "--home", str(looked.home)])
        capfd.readouterr()
        code = paretune.cli.run()
        out, err = capfd.readouterr()
        assert code == 0, err
        return out

    return run


def ids(looked: Study, trial: int) -> list[str]:
    return [point.id for point in looked.record.trials[trial].points if point.sparsity]


def test_the_clean_figure_is_the_one_of_the_ledger_and_corrupted_ones_are_worse(looked: Study) -> None:
    found = paretune.robustness("s", "teacher", severity=5, home=looked.home)
    teacher = looked.record.teacher
    assert teacher is not None
    assert found["point"] == teacher.id
    assert found["clean"] == pytest.approx(teacher.measured.score_test)
    assert all(value < found["clean"] for value in found["corrupted"].values())


def test_the_command_tells_the_same_as_the_function_in_words_and_as_json(looked: Study, typed: Typed) -> None:
    key, words = ids(looked, 1)[0], ("robustness", "s", "teacher", ids(looked, 1)[0][:10], "--corrupt", "occlusion")
    wanted = [paretune.robustness("s", point, ["occlusion"], 2, home=looked.home) for point in ("teacher", key)]
    assert json.loads(typed(*words, "--severity", "2", "--json")) == wanted
    told = typed(*words, "--severity", "2")
    assert "s: accuracy on 359 test images, corrupted at severity 2 of 5" in told
    assert f"{wanted[1]['corrupted']['occlusion']:.4f}" in told


def test_an_export_and_its_card_carry_the_figures_of_corrupted_images(
    looked: Study, typed: Typed, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = typed("select", "s", "--export", str(out), "--corrupt", "brightness,occlusion", "--severity", "4")
    card: dict[str, Any] = json.loads((out / "card.json").read_text())
    found = card["measured"]["robustness"]
    wanted = paretune.robustness("s", card["point"]["id"], ["brightness", "occlusion"], 4, home=looked.home)
    assert found == {name: value for name, value in wanted.items() if name in found}
    assert f"test accuracy at severity 4: clean {found['clean']:.4f}, brightness" in told
    text = (out / "card.md").read_text()
    assert "359 test images, corrupted at severity 4 of 5" in text
    assert f"| occlusion | {found['corrupted']['occlusion']:.4f} |" in text
    again = paretune.evaluate(out, corrupt=["occlusion"], severity=4)
    assert again["robustness"]["corrupted"] == {"occlusion": found["corrupted"]["occlusion"]}
    assert "robustness" not in paretune.evaluate(out)


def test_speed_has_promise_and_measurement_against_the_teacher(looked: Study, typed: Typed) -> None:
    cut, masked = ids(looked, 1)[-1], ids(looked, 2)[-1]
    words = ("speed", "s", cut[:10], masked[:10], "--batches", "1,64")
    found = json.loads(typed(*words, "--json"))
    teacher = looked.record.teacher
    assert teacher is not None
    assert found["against"] == teacher.id
    by = {row["point"]: row for row in found["points"]}
    assert list(by) == [cut, masked, teacher.id]
    assert by[cut]["theoretical"] > 1.5 > by[masked]["theoretical"] == 1
    assert by[masked]["zeros"] > 0.4 > by[cut]["zeros"]
    times = {key: {row["batch"]: row for row in one["times"] if row["device"] == "cpu"} for key, one in by.items()}
    assert all(set(rows) == {1, 64} for rows in times.values())
    ratio = times[teacher.id][64]["median_ms"] / times[cut][64]["median_ms"]
    assert times[cut][64]["speedup"] == pytest.approx(ratio)
    told = typed(*words)
    assert f"speed-up against {teacher.id[:8]}" in told
    assert "zeros bring no speed: they are multiplied like other numbers" in told


def test_layers_of_a_curve_lose_channels_or_weights_step_by_step(looked: Study, typed: Typed) -> None:
    cut = paretune.layers("s", trial=1, home=looked.home)
    assert [row["sparsity"] for row in cut["points"]] == [one.sparsity for one in looked.record.trials[1].points]
    for layer in cut["layers"]:
        channels = [cell["channels"] for cell in layer["points"]]
        assert channels == sorted(channels, reverse=True)
        assert channels[0] <= layer["points"][0]["original"]
    key = ids(looked, 2)[-1]
    masked = paretune.layers("s", [key], home=looked.home)["layers"]
    zeros = sum(layer["points"][0]["zeros"] for layer in masked)
    point = next(one for one in looked.record.points if one.id == key)
    assert zeros == pytest.approx(point.measured.params - point.measured.nonzero_params, abs=3)
    told = typed("layers", "s", key[:10], ids(looked, 1)[-1][:10])
    assert "zeros" in told
    assert f"{cut['layers'][0]['points'][-1]['channels']}/{cut['layers'][0]['points'][-1]['original']}" in told
    assert json.loads(typed("layers", "s", "--trial", "1", "--json")) == cut


def test_attention_maps_are_of_the_same_images_for_every_point(looked: Study) -> None:
    key = ids(looked, 1)[-1]
    found = paretune.attention("s", ["teacher", key[:10]], 5, home=looked.home)
    assert found.images.shape == (5, 1, 8, 8)
    assert list(found.maps) == [looked.record.trials[0].points[0].id, key]
    assert all(maps.shape == (5, 8, 8) for maps in found.maps.values())
    test = load_task("digits").test
    assert found.labels == tuple(str(int(test.targets[place])) for place in found.index)
    assert set(found.taps.values()) == {"stage2"}
    other = paretune.attention("s", [key], 5, "stage1", home=looked.home)
    assert other.index == found.index
    assert set(other.taps.values()) == {"stage1"}
    assert (other.maps[key] != found.maps[key]).any()


def test_the_picture_is_a_page_without_links_or_scripts(looked: Study, typed: Typed, tmp_path: Path) -> None:
    out = tmp_path / "attention.html"
    assert typed("attention", "s", "teacher", ids(looked, 1)[0][:10], "--images", "3", "--out", str(out)) == f"{out}\n"
    text = out.read_text()
    assert text.count("<img") == text.count("data:image/png;base64,") == 3 * 3
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_tap_that_no_network_has_is_refused(looked: Study) -> None:
    with pytest.raises(ValueError, match="attention: tap must give maps"):
        paretune.attention("s", ["teacher"], tap="stage9", home=looked.home)


def test_the_report_has_the_picture_of_the_named_points(looked: Study, typed: Typed, tmp_path: Path) -> None:
    out, key = tmp_path / "report.html", ids(looked, 1)[0]
    typed("report", "s", "--out", str(out), "--attention", f"teacher,{key[:10]}")
    text = out.read_text()
    assert "<h2>Attention maps</h2>" in text
    assert text.count("data:image/png;base64,") == 8 * 3
    assert "Attention maps" not in paretune.report("s", tmp_path / "bare.html", home=looked.home).read_text()


def test_the_report_has_other_studies_beside_it_and_robustness_on_request(looked: Study, typed: Typed) -> None:
    out, keys = looked.home / "further.html", ids(looked, 1)
    words = ("--robustness", f"teacher,{keys[0][:10]}", "--beside", f"{looked.home}/s", "--json")
    found = json.loads(typed("report", "s", "--out", str(out), *words))
    assert found == {"study": "s", "report": str(out)}
    text = out.read_text()
    measured = paretune.robustness("s", "teacher", home=looked.home)
    for part in ("Robustness", "Beside other studies"):
        assert f"<h2>{part}</h2>" in text
    for value in (measured["clean"], *measured["corrupted"].values()):
        assert f'<td class="figure">{value:.4f}</td>' in text
    figures = json.loads(text.partition('id="study">')[2].partition("</script>")[0])["figures"]
    assert "beside-params" in figures
    assert 'id="beside-params"' in text
    bare = paretune.report("s", looked.home / "bare.html", home=looked.home).read_text()
    assert "Beside other studies" not in bare
    assert "Robustness" not in bare


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"beside": ["none"]}, "study none: there is none in"),
        ({"robustness": ["zzz"]}, "robustness: the id of one point of s must begin with 'zzz', none does"),
    ],
)
def test_a_section_that_cannot_be_made_leaves_the_report_unwritten(
    looked: Study, tmp_path: Path, asked: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        paretune.report("s", tmp_path / "report.html", home=looked.home, **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "report.html").exists()

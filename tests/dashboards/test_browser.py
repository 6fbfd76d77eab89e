"""The report in a real browser: figure, sliders, looks, and the same pick as the command's."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import CHROMIUM, Page, browser
from compress.measurement import Measurement
from compress.quality import ACCURACY, Quality
from dashboards import report
from dashboards.models import Models, columns
from search.selection.budget import Budget
from search.selection.selection import choose
from search.study.record import Point, StudyRecord
from tests.dashboards.records import F1, MAE, PSNR, by, point, study, trial

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium or chrome on the path")

EVIL = "</script><img src=x onerror=console.log(1)><b>"
Run = Callable[[str, str], Any]
BOUNDS = ("max_params", "max_macs", "max_size_bytes", "max_latency_ms", "min_accuracy")

PRELUDE = """
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const text = (id) => document.getElementById(id).textContent;
  const move = async (bound, place) => {
    const slider = document.getElementById(`slide-${bound}`);
    slider.value = place(Number(slider.max));
    slider.dispatchEvent(new Event("input"));
    await frame();
  };
  const type = async (bound, amount) => {
    const box = document.getElementById(`type-${bound}`);
    box.value = amount;
    box.dispatchEvent(new Event("change"));
    await frame();
  };
  const traces = (meta, plot = "front") => document.getElementById(plot).data.filter((one) => one.meta === meta);
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One browser for all."""
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """The document that the tab has open."""
    return [""]


def test_at_1280_pixels_the_front_of_large_networks_fits(ran: Run, tab: Page) -> None:
    """Seven digits of parameters, means over seeds, a quality with a unit, a recipe of many choices."""
    record = by(Quality("explained-variance", 20.0, 0.0, 0.0, "degrees"), reseeded(searched()))
    large = [
        replace(one, points=tuple(replace(p, measured=times_a_thousand(p.measured)) for p in one.points))
        for one in record.trials
    ]
    choices = {"order": "distill-prune", "student": "efficientnet-b4", "teacher": "densenet161", "pruner": "taylor"}
    record = replace(record, trials=tuple(replace(one, choices={**choices, **one.choices}) for one in large))
    tab.resize(1280, 900)
    scrolls = "(one) => one.scrollWidth > one.clientWidth"
    told = ran(report(record), f"return [...document.querySelectorAll('.scroll')].map({scrolls});")
    tab.resize(1200, 900)
    assert told
    assert not any(told)


def times_a_thousand(measured: Measurement) -> Measurement:
    """With a thousand times the costs."""
    names = ("params", "nonzero_params", "size_bytes", "compressed_bytes", "macs")
    return replace(measured, **{name: 1000 * getattr(measured, name) for name in names})


@pytest.fixture
def ran(tab: Page, shown: list[str], tmp_path: Path) -> Iterator[Callable[[str, str], Any]]:
    """Opens a report, or lifts the bounds of the open one, and gives what a script returns in it; nothing may be said
    on its console.
    """

    def run(document: str, body: str) -> Any:
        if document != shown[0]:
            page = tmp_path / "report.html"
            page.write_text(document, encoding="utf-8")
            tab.open(page)
            shown[0] = document
        tab.run("document.getElementById('reset').click(); document.activeElement.blur();")
        return tab.run(PRELUDE + body)

    yield run
    assert tab.console == []


def searched(name: str = "s", seed: int = 0) -> StudyRecord:
    """Forty falling curves with many ties, and a teacher."""
    draw = random.Random(seed)
    trials = [trial(0, point(0, 0.98, 1000))]
    for number in range(1, 41):
        size, best = draw.choice((200, 400, 800)), draw.choice((0.9, 0.95, 0.97))
        places = [(stop / 5, round(best - (stop / 5) ** 3 * draw.random(), 2)) for stop in range(5)]
        points = [point(number, max(0.1, a), int(size * (1 - s)), sparsity=s) for s, a in places]
        trials.append(trial(number, *points, choices={"order": draw.choice(("prune", "lowrank")), name: "kd"}))
    return study(*trials)


def reseeded(record: StudyRecord) -> StudyRecord:
    """With two more seeds of twenty trials, whose models are not quite as accurate, nor all as small."""
    draw = random.Random(2)
    again = []
    for seed in (1, 2):
        for old in record.trials[1:21]:
            accuracies = [max(0.0, p.measured.score_validation + draw.choice((-0.03, 0, 0.01))) for p in old.points]
            sizes = [p.measured.params + draw.choice((0, 0, 10)) for p in old.points]
            made = [
                point(100 * seed + old.id, accuracy, params, sparsity=p.sparsity, family=p.id)
                for p, accuracy, params in zip(old.points, accuracies, sizes, strict=True)
            ]
            again.append(trial(100 * seed + old.id, *made, choices=old.choices))
    return study(*record.trials, *again)


def budgets(points: list[Point], count: int = 60) -> list[dict[str, str]]:
    """Amounts as they are typed, absolute and as shares, of one to five bounds; some that nothing fits."""
    draw, quality = random.Random(1), points[0].quality
    name, *loose = {
        "accuracy": ("min_accuracy", "97%", ".5"),
        "f1": ("quality", "97%", ".5"),
        "mae": ("quality", "400%", "4", "0"),
        "psnr": ("quality", "97%", "30"),
    }[quality.name]
    found: list[dict[str, str]] = [{}]
    for _ in range(count):
        near = draw.choice(points).measured
        typed = {
            "max_params": draw.choice((str(near.params), f"{near.params / 1000:.3f}k", "10%", "1")),
            "max_macs": draw.choice((str(near.macs), "29%")),
            "max_size_bytes": draw.choice((str(near.size_bytes), "1M")),
            "max_latency_ms": draw.choice(("1", ".5", "2")) if draw.random() < 0.3 else "1.0",
            name: draw.choice((f"{quality.value(near.score_validation):.4f}", *loose)),
        }
        kept = [bound for bound in typed if draw.random() < 0.45]
        found.append({bound: typed[bound] for bound in kept})
    return found


QUALITIES = pytest.mark.parametrize(
    ("seeds", "quality"), [(1, ACCURACY), (3, ACCURACY), (1, MAE), (3, MAE), (3, F1), (1, PSNR)]
)


@QUALITIES
def test_the_page_picks_what_select_picks(ran: Run, seeds: int, quality: Quality) -> None:
    exact = point(43, 0.979, 570)  # 57 % of the teacher's 10,000 MACs are 5,699.999999999999 in floats
    record = study(*searched().trials, trial(43, exact))
    if seeds > 1:
        record = reseeded(record)
    record = record if quality == ACCURACY else by(quality, record)
    models = Models.of(record)
    asked = [{"max_macs": "57%"}, *budgets(record.points)]
    told = ran(
        report(record),
        f"""return {json.dumps(asked)}.map((texts) => choose(Object.fromEntries(
            Object.entries(texts).map(([name, text]) => [name, amount(text, name)])))).map((one) => (
            {{ ...one, fits: one.fits.filter(Boolean).length }}));""",
    )
    nothing, seen = 0, columns(models)["seeds"]["trial"]
    assert any(page["shipped"] is not None for page in told) == (seeds > 1)
    for texts, page in zip(asked, told, strict=True):
        choice = choose(record.points, Budget.parse(**texts).resolve(record.teacher))
        rows = [models.row[miss.point.id] for miss in choice.misses]
        assert page["best"] == (None if choice.best is None else models.row[choice.best.id]), texts
        if page["shipped"] is not None:
            assert choice.best is not None
            assert seen[page["shipped"]] == choice.best.trial, texts
        assert page["fits"] == len(choice.fits)
        assert page["binding"] == list(choice.binding)
        assert [miss["row"] for miss in page["misses"]] == rows
        assert [miss["needs"] for miss in page["misses"]] == [miss.needs for miss in choice.misses]
        assert (page["more"] or {}).get("row") == (choice.more and models.row[choice.more.point.id])
        assert (page["more"] or {}).get("needs") == (choice.more and choice.more.needs)
        nothing += choice.best is None
    assert 0 < nothing < len(asked) / 2


@pytest.mark.parametrize(
    ("seeds", "quality"),
    [
        (1, ACCURACY),
        (3, MAE),
        pytest.param(3, ACCURACY, marks=pytest.mark.slow),
        pytest.param(1, MAE, marks=pytest.mark.slow),
        pytest.param(3, F1, marks=pytest.mark.slow),
        pytest.param(1, PSNR, marks=pytest.mark.slow),
    ],
)
def test_what_is_said_to_buy_a_model_buys_it_when_it_is_typed(ran: Run, seeds: int, quality: Quality) -> None:
    record = searched() if seeds == 1 else reseeded(searched())
    record = record if quality == ACCURACY else by(quality, record)
    asked = [texts for texts in budgets(record.points, 100) if texts]
    told = ran(
        report(record),
        f"""
        const enter = async (texts) => {{
          for (const [bound, amount] of Object.entries(texts)) await type(bound, amount);
        }};
        const read = (said) => Object.fromEntries([...said.matchAll(/--(\\S+) ([\\d.]+)/g)].map(
          ([, bound, amount]) => [bound.replaceAll("-", "_"), amount]));
        const found = [];
        for (const texts of {json.dumps(asked)}) {{
          document.getElementById("reset").click();
          await enter(texts);
          const more = text("pick-more"), misses = text("pick-misses");
          if (!more && !misses) continue;
          await enter(read(more || misses.split(";")[0]));
          found.push([more, misses, text("pick-name")]);
        }}
        return found;""",
    )
    for more, misses, name in told:
        wanted = re.search(r"buys (trial .*?), ", more) or re.search(r"Nearest: (trial .*?) misses", misses)
        assert wanted is not None
        assert f": {wanted[1]}" in name, (more, misses)
    assert sum(bool(more) for more, *_ in told) > 10 < sum(bool(misses) for _, misses, _ in told)


def test_bars_are_accuracies_and_the_axis_is_that_of_the_points(ran: Run) -> None:
    pairs = [point(n, accuracy, 100 * n, sparsity=0.5) for n, accuracy in ((1, 0.6), (2, 0.9))]
    bases = [point(n, 0.95, 200 * n) for n in (1, 2)]
    again = [point(10 + p.trial, p.measured.score_validation - 0.2, p.measured.params, family=p.id) for p in pairs]
    first = [trial(n, bases[n - 1], pairs[n - 1], choices={"order": "prune"}) for n in (1, 2)]
    record = study(trial(0, point(0, 0.98, 1000)), *first, *(trial(p.trial, p) for p in again))
    told = ran(
        report(record),
        """
        await drawAll();
        const of = (plot) => ({ range: document.getElementById(plot)._fullLayout.yaxis.range,
          bars: document.getElementById(plot).data.filter((one) => one.error_y).flatMap(({ y, error_y }) =>
            y.map((at, i) => [at, error_y.array[i], error_y.arrayminus[i]])).filter(([, bar]) => bar !== null) });
        return [of("front"), of("curves"), text("pick-name")];""",
    )
    for figure, least in zip(told[:2], (0.4, 0.5), strict=True):
        low, high = figure["range"]
        assert least - 0.06 < low < least
        assert 0.95 < high < 1.04
        assert figure["bars"]
        assert all(at - down >= -1e-12 and at + up <= 1 + 1e-12 for at, up, down in figure["bars"])


def test_a_slider_moves_the_pick_the_figures_and_the_tables(ran: Run) -> None:
    record = searched()
    told = ran(
        report(record),
        """
        const state = () => ({ name: text("pick-name"), command: text("pick-command"), binding: text("pick-binding"),
          pick: traces("pick").map((one) => one.x[0])[0] ?? null,
          points: [...traces("models"), ...traces("teacher")].reduce((sum, one) => sum + one.x.length, 0),
          faint: traces("models").flatMap((one) => one.marker.opacity).filter((one) => one < 0.2).length,
          drawn: document.querySelectorAll("#front .scatterlayer .point").length,
          lines: traces("curves", "curves").flatMap((one) => one.y).filter((one) => one !== null).length,
          caption: document.querySelector("table[data-of]").caption.textContent });
        const states = [state()];
        await move("max_params", (most) => Math.round(most / 2));
        states.push(state());
        await move("min_accuracy", (most) => most);
        states.push(state());
        document.getElementById("reset").click();
        await frame();
        return [...states, state()];
        """,
    )
    whole, half, none, again = told
    assert whole["points"] == len(record.points) <= whole["drawn"]
    assert (whole["faint"], whole["pick"]) == (0, 1000)
    text = re.fullmatch(r"paretune select s --max-params (\S+)", half["command"])
    assert text is not None
    best = choose(record.points, Budget.parse(max_params=text[1])).best
    assert best is not None
    assert half["pick"] == best.measured.params < 1000
    assert half["binding"] == "Binding: max-params."
    assert 0 < half["faint"] < half["points"] == whole["points"]
    assert 0 < half["lines"] < whole["lines"]
    assert half["caption"] != whole["caption"]
    assert (none["name"], none["pick"]) == ("No model is within the budget.", None)
    assert again == whole


def test_a_bound_is_typed_or_refused_with_a_sentence(ran: Run) -> None:
    told = ran(
        report(searched()),
        """
        const state = (bound) => [text("pick-command"), text(`note-${bound}`),
          document.getElementById(`slide-${bound}`).getAttribute("aria-valuetext")];
        const states = [];
        for (const [bound, amount] of [["max_params", "10%"], ["max_params", "2.5 k"], ["max_params", "12q"],
          ["max_params", "0"], ["max_params", ""], ["min_accuracy", "97"], ["min_accuracy", ".9"]]) {
          await type(bound, amount);
          states.push(state(bound));
        }
        return states;
        """,
    )
    assert told == [
        ["paretune select s --max-params 10%", "", "at most 10%"],
        ["paretune select s --max-params 2.5k", "", "at most 2.5 k"],
        [
            "paretune select s --max-params 2.5k",
            "Expected a number with k, M or G, or a share such as 10%.",
            "at most 2.5 k",
        ],
        ["paretune select s --max-params 2.5k", "Expected an amount above 0.", "at most 2.5 k"],
        ["paretune select s", "", "no bound"],
        ["paretune select s", "Expected a number in [0, 1], or a share such as 97%.", "no bound"],
        ["paretune select s --min-accuracy .9", "", "at least .9"],
    ]


@pytest.mark.parametrize("quality", [ACCURACY, MAE, PSNR])
def test_every_stop_of_a_slider_is_the_least_amount_that_holds_a_model(ran: Run, quality: Quality) -> None:
    record = searched() if quality == ACCURACY else by(quality, searched())
    told = ran(report(record), "return Object.keys(BOUNDS).map((name) => [name, isLeast(name), stops(name)]);")
    assert [least for _, least, _ in told] == [False] * 4 + [quality.higher_is_better]
    for name, least, texts in told:
        held = [len(choose(record.points, Budget.parse(**{name: text})).fits) for text in texts]
        assert held == sorted(set(held), reverse=least), name
        assert held[0 if least else -1] == len(record.points)
        assert min(held) >= 1


def test_of_an_error_up_is_better_and_its_slider_is_an_upper_bound(ran: Run) -> None:
    told = ran(
        report(by(MAE, searched())),
        """
        const axes = ["front", "curves", "stages"].map((name) => {
          const { title, range } = document.getElementById(name)._fullLayout.yaxis;
          return [title.text, range[0] > range[1]];
        });
        await move("quality", (most) => 0);
        const strict = [text("pick-command"), document.getElementById("slide-quality").getAttribute("aria-valuetext")];
        await type("quality", "150%");
        await move("max_params", (most) => Math.round(most / 2));
        const lines = document.getElementById("front").layout.shapes.map((one) => one.y0);
        return { axes, strict, lines, label: document.querySelector("label[for=slide-quality]").textContent,
          figures: [...document.querySelectorAll("#pick-figures div")].map((one) => one.innerText.split(/\\n+/)),
          more: text("pick-more"), hover: hovers[0] };""",
    )
    assert told["axes"] == [["mae in degrees on validation", True]] * 3
    assert told["strict"] == ["paretune select s --quality 0.4", "at most 0.4"]
    assert told["lines"] == [0, pytest.approx(0.6)]
    assert told["label"] == "mae in degrees at most"
    assert ["mae validation, degrees", "0.6"] in told["figures"]
    assert ["r2 test", "0.87"] in told["figures"]
    assert told["more"].endswith("0.2 degrees better on validation.")
    assert "mae in degrees: validation 0.4, test 2.4" in told["hover"]


@pytest.mark.parametrize(
    ("quality", "typed", "said"),
    [
        (F1, "97", "Expected a number in [0, 1], or a share such as 97%."),
        (PSNR, "41", "Expected a number in [0, 40], or a share such as 97%."),
        (F1, "110%", "Expected a share that is not over 1."),
        (MAE, "110%", ""),
        (MAE, "0", ""),
    ],
)
def test_a_bound_on_quality_is_in_its_own_unit(ran: Run, quality: Quality, typed: str, said: str) -> None:
    assert (
        ran(report(by(quality, searched())), f'await type("quality", "{typed}"); return text("note-quality");') == said
    )


def test_a_quality_below_0_is_drawn_and_missed_with_the_amount_to_type(ran: Run) -> None:
    models = [trial(n, point(n, score, 100 * n)) for n, score in enumerate((0.25, -1.5, -0.5), 1)]
    told = ran(
        report(by(F1, study(trial(0, point(0, -0.125, 1000)), *models))),
        """
        await type("quality", "90%");
        const note = text("note-quality");
        await type("quality", ".5");
        const { range } = document.getElementById("front")._fullLayout.yaxis;
        return [stops("quality"), note, text("pick-misses"), range];""",
    )
    assert told[:2] == [["-1.5", "-0.5", "-0.125", "0.25"], "Expected a number: the teacher's f1 is below 0."]
    assert told[2] == (
        "Nearest: trial 1 at 0 % misses f1 by 0.25 (needs --quality 0.25); trial 0 at 0 % misses f1 by 0.625 "
        "(needs --quality -0.125); trial 3 at 0 % misses f1 by 1 (needs --quality -0.5)."
    )
    assert told[3][0] < -1.5 < 0.25 < told[3][1]


def test_the_cost_axis_and_the_published_layer_are_switched(ran: Run) -> None:
    told = ran(
        report(study(*searched().trials, task="cifar10")),
        """
        const axis = () => [document.getElementById("front").layout.xaxis.title.text, traces("pick")[0].x[0],
          traces("published").length, traces("published", "curves").length];
        const states = [axis()];
        document.querySelector("input[value=macs]").click();
        await frame();
        states.push(axis());
        document.getElementById("published").click();
        await frame();
        return [...states, axis()];
        """,
    )
    assert told == [
        ["parameters (log scale)", 1000, 0, 0],
        ["MACs for one image (log scale)", 10_000, 0, 0],
        ["MACs for one image (log scale)", 10_000, 1, 4],
    ]


def test_all_controls_are_native_and_come_in_the_order_they_are_read(ran: Run) -> None:
    told = ran(
        report(searched()),
        """
        const controls = [...document.querySelectorAll("input, button, [tabindex]")];
        return controls.map((one) => { one.focus(); return [one.id || one.name || one.getAttribute("aria-label"),
          document.activeElement === one, one.tabIndex,
          Boolean(one.labels?.length || one.textContent || one.ariaLabel)]; });
        """,
    )
    names = [name for name, *_ in told]
    assert names[:10] == [f"{kind}-{bound}" for bound in BOUNDS for kind in ("slide", "type")]
    assert names[10:12] == ["reset", "command"]
    assert set(names[12:]) == {"cost", "table"}
    assert all(focused and index == 0 and labelled for _, focused, index, labelled in told)


@pytest.mark.parametrize("record", [study(), study(trial(0, status="failed")), study(trial(0, point(0, 0.9, 10)))])
def test_a_study_that_has_just_begun_is_drawn_too(record: StudyRecord, ran: Run) -> None:
    told = ran(report(record), 'return text("pick-name");')
    assert told == ("Best of 1: trial 0 at 0 %" if record.points else "No model has been measured yet.")


def test_markup_in_names_is_text_in_the_page_and_in_its_figures(ran: Run) -> None:
    evil = searched(EVIL)
    record = StudyRecord(EVIL, EVIL, EVIL, evil.objectives, evil.reference_point, evil.trials)
    told = ran(
        report(record),
        """await move("max_params", (most) => Math.round(most / 2));
        return [document.images.length, document.querySelectorAll("main b").length, text("pick-recipe")];""",
    )
    assert told[:2] == [0, 0]
    assert EVIL in told[2]


def test_the_sliders_are_moved_by_keys(ran: Run, tab: Page) -> None:
    ran(report(searched()), "")
    tab.press("Tab")
    assert tab.run("return document.activeElement.id") == "slide-max_params"
    tab.press("Home")
    tab.press("ArrowRight")
    bound = tab.run("return document.activeElement.getAttribute('aria-valuetext')")
    command = tab.run("return document.getElementById('pick-command').textContent")
    assert bound == tab.run("return `at most ${stops('max_params')[1]}`")
    assert command == f"paretune select s --max-params {bound.removeprefix('at most ')}"
    tab.press("Tab")
    assert tab.run("return document.activeElement.id") == "type-max_params"


LOOKS = {"light": (1200, False), "dark": (1200, True), "phone": (375, False), "print": (1200, False)}


@pytest.mark.parametrize("name", LOOKS)
def test_what_it_looks_like_is_there_for_a_person_to_see(name: str, ran: Run, tab: Page, tmp_path: Path) -> None:
    picture = Path(os.environ.get("PARETUNE_SCREENSHOTS") or tmp_path) / f"report-{name}"
    width, dark = LOOKS[name]
    tab.resize(width, 900, dark=dark, phone=name == "phone")
    ran(report(searched()), "await drawAll(); await frame();")
    if name == "print":
        tab.print(picture.with_suffix(".pdf"))
    else:
        tab.picture(picture.with_suffix(".png"), whole=True)
    (made,) = picture.parent.glob(f"{picture.name}.*")
    assert made.stat().st_size > 50_000
    ground, ink = tab.run("return [getComputedStyle(document.body).backgroundColor, ink()]")
    assert (ground, ink) == (("rgb(22, 24, 28)", "#d5d8dd") if dark else ("rgb(255, 255, 255)", "#30343b"))
    wide = "(one) => one.getBoundingClientRect().right > innerWidth && !one.closest('.scroll, svg')"
    assert tab.run(f"return [innerWidth, [...document.querySelectorAll('main *')].filter({wide}).length]") == [width, 0]
    tab.resize(1200, 900)

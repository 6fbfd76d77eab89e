import base64
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from dashboards import report
from dashboards.glossary import GLOSSARY
from dashboards.page import Column, Follows, packed_plotly, page, table
from dashboards.report import figures
from search.study.record import Choice, StudyRecord, TrialRecord
from tests.dashboards.records import F1, MAE, PSNR, by, point, study, trial

NAMES = {"hypervolume", "stages", "importance", "levels", "spending"}
EVIL = "</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(document: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(document.replace(packed_plotly(), ""))
    return parser.seen


def searched(text: str = "prune") -> StudyRecord:
    choices: dict[str, Choice] = {"order": text, text: "kd"}
    models = [point(1, 0.95, 400, variant=text), point(1, 0.7, 90, sparsity=0.5, variant=text)]
    failed = TrialRecord(2, "failed", f"loss is NaN {text}", {}, choices, (), 1.0, {})
    trials = (trial(0, point(0, 0.99, 1000)), trial(1, *models, choices=choices), failed)
    others = [trial(i, point(i, 0.8, 50), choices={"order": "other"}) for i in (3, 4)]
    reference = {"accuracy": 0.0, "params": 1000.0, "flops": 20000.0}
    return StudyRecord(text, text, text, ("accuracy", "params", "flops"), reference, (*trials, *others))


@pytest.mark.parametrize("record", [study(), study(trial(0, status="failed")), searched()])
def test_every_figure_is_drawn_whatever_the_study_holds(record: StudyRecord) -> None:
    assert set(figures(record)) == NAMES


def told(document: str) -> Any:
    """What the page's script reads."""
    found = re.search(r'<script type="application/json" id="study">(.*)</script>', document)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("record", [study(), study(trial(0, status="failed")), searched()])
def test_the_report_has_a_place_for_every_figure(record: StudyRecord) -> None:
    document = report(record)
    places = {attrs["id"] for _, attrs in tags(document) if attrs.get("class") == "plot"}
    assert places == NAMES | {"front"} | ({"curves"} if told(document)["curves"] else set())


def test_nothing_is_fetched() -> None:
    found = tags(report(searched()))
    assert not [attrs for _, attrs in found if {"src", "href"} & set(attrs)]
    (policy,) = (attrs["content"] for _, attrs in found if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_plotly_lies_in_the_report_once_and_packed() -> None:
    document = report(searched())
    assert document.count(packed_plotly()) == 1
    assert gzip.decompress(base64.b64decode(packed_plotly())).decode() == get_plotlyjs()


def test_five_thousand_points_fit_into_a_mail() -> None:
    curves = [[point(i, 1 / (i + s + 3), 90 * i + s, sparsity=s / 10) for s in range(10)] for i in range(1, 501)]
    record = study(*(trial(i, *points, choices={"lr": i / 7}) for i, points in enumerate(curves, 1)))
    assert len(record.points) == 5000
    assert len(report(record).encode()) < 5e6


def test_the_same_study_gives_the_same_report() -> None:
    assert report(searched()) == report(searched())


def test_markup_in_names_comes_out_as_text() -> None:
    document = report(searched(EVIL))
    assert [tag for tag, _ in tags(document) if tag == "img"] == []
    assert f"<h1>{EVIL.replace('<', '&lt;').replace('>', '&gt;')}</h1>" in document
    assert EVIL not in document


def test_markup_in_names_adds_no_element() -> None:
    assert [tag for tag, _ in tags(report(searched(EVIL)))] == [tag for tag, _ in tags(report(searched("prune")))]


def test_the_data_travel_as_json() -> None:
    document = report(searched(EVIL))
    assert set(told(document)["figures"]) == NAMES
    assert told(document)["words"]["variant"] == ["float", EVIL]


def test_the_front_is_a_table_the_best_first_with_test_beside_validation() -> None:
    text = report(searched())
    front = text[text.index("<h2>The front</h2>") : text.index("<h2>Best under a size</h2>")]
    cells = re.findall(r'<td class="figure">(.*?)</td>', front)
    assert cells[2:5] == ["99.00%", "89.00%", "1,000"]
    assert [cells[i] for i in range(4, len(cells), 8)] == ["1,000", "400", "50"]


def test_rows_of_the_front_say_which_model_they_are_about() -> None:
    text = report(searched())
    front = text[text.index("<h2>The front</h2>") : text.index("<h2>Best under a size</h2>")]
    params = told(text)["rows"]["params"]
    assert [params[int(row)] for row in re.findall('data-rows="(.*?)"', front)] == [1000, 400, 50]


def test_the_top_has_the_teacher_what_a_tenth_buys_and_the_smallest_as_good() -> None:
    curve = (point(1, 0.895, 300), point(1, 0.88, 90, sparsity=0.4), point(1, 0.5, 20, sparsity=0.8))
    text = report(study(trial(0, point(0, 0.9, 1000)), trial(1, *curve)))
    top = re.search(r'<dl class="numbers">.*?</dl>', text, re.DOTALL)
    assert top is not None
    told_there = re.findall(r"<dt>(.*?)</dt><dd>(.*?)<small>(.*?)</small>", re.sub(r"</?abbr.*?>", "", top[0]))
    assert told_there[:3] == [
        ("teacher&#x27;s accuracy", "90.00%", "with 1,000 parameters"),
        ("best at 10% of its size", "88.00%", f"{curve[1].id[:8]}, 90 parameters"),
        ("smallest that loses at most 1%", "30.0%", f"of its size: {curve[0].id[:8]}, 300 parameters"),
    ]
    assert "teacher&#x27;s accuracy" not in report(study())


def test_a_model_that_is_better_on_test_than_the_one_chosen_is_named() -> None:
    chosen, other = point(1, 0.8, 90), point(1, 0.79, 80, sparsity=0.1)
    better = replace(other, measured=replace(other.measured, score_test=0.95))
    text = report(study(trial(0, point(0, 0.9, 1000)), trial(1, chosen, better)))
    table = text[text.index("<h2>Best under a size</h2>") : text.index("<h2>Breakpoints</h2>")]
    rows = [re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)[1:]]
    named = {row[0].partition(" ")[0]: row[-1] for row in rows}
    assert named["10%"] == f"95.00%, {better.id[:8]}"


def test_the_command_that_takes_a_model_has_the_home_where_it_is_not_the_default() -> None:
    assert "paretune select prune</code>" in report(searched())
    assert "paretune select prune --home &#x27;/a home&#x27;</code>" in report(searched(), home="/a home")
    assert told(report(searched(), home="/a home"))["quoted"] == "prune --home '/a home'"


def test_a_heading_that_needs_a_word_has_it_on_hover() -> None:
    text = report(searched())
    assert f'<abbr title="{GLOSSARY["removed"]}">removed</abbr>' in text
    assert "pruned</th>" not in text


def test_published_results_are_offered_on_their_data_set_alone() -> None:
    record = searched()
    assert 'id="published"' not in report(record)
    assert 'id="published"' in report(replace(record, task="cifar10"))


def test_the_name_of_a_study_is_quoted_in_the_command() -> None:
    assert told(report(searched("a b")))["quoted"] == "'a b'"


def test_seeds_stand_with_their_interval() -> None:
    seeds = (trial(1, point(1, 0.9, 100)), trial(2, point(2, 0.88, 100, family="1/float/0.0")))
    assert '<td class="figure">89.00% ± 12.71%</td>' in report(study(*seeds))


def test_trials_that_ended_alike_are_one_row() -> None:
    record = study(trial(0, point(0, 0.9, 10)), *(trial(i, status="stopped") for i in range(1, 40)))
    assert re.findall(r'<td class="word">stopped</td><td class="figure">(\d+)</td>', report(record)) == ["39"]


def test_failed_trials_stand_there_with_their_reason() -> None:
    assert '<td class="prose">loss is NaN prune</td>' in report(searched())


def test_the_best_model_under_a_size_is_validations() -> None:
    text = report(searched())
    row = text[text.index("50% of the teacher&#x27;s parameters") :][:220]
    assert re.findall(r'"figure">(.*?)<', row) == ["1", "0%", "95.00%", "85.00%", "400"]


def test_a_table_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        table([Column("one"), Column("two")], [["1"]])
    with pytest.raises(ValueError, match="zip"):
        table([Column("one")], [["1"], ["2"]], Follows("rows", [[0]]))


def test_a_title_is_escaped() -> None:
    assert "<title>&lt;b&gt;</title>" in page("<b>", "", {})


def test_no_word_of_accuracy_is_in_the_report_of_another_quality() -> None:
    record = study(trial(0, point(0, 0.98, 1000)), trial(1, point(1, 0.9, 100), point(1, 0.8, 50, sparsity=0.5)))
    for quality in (MAE, F1, PSNR):
        document = report(by(quality, record))
        body = document[document.index("<main>") : document.index("</main>")]
        assert "accura" not in body.lower().replace("min_accuracy", "")
        assert "accuracy" not in json.dumps({**told(document), "published": None})
        assert ("the axis is reversed" in body) == (not quality.higher_is_better)
    assert "the axis is reversed" not in report(record)


def test_a_report_by_an_error_has_its_values_in_the_tables_and_in_the_first_pick() -> None:
    seeds = (trial(1, point(1, 0.9, 100)), trial(2, point(2, 0.88, 100, family="1/float/0.0")))
    document = report(by(MAE, study(*seeds)))
    assert '<td class="figure">2.2 ± 2.541</td>' in document
    assert '<th class="figure" scope="col">mae validation, degrees</th>' in document
    assert "Best by mae: trial 2 at 0 %" in document
    assert '<dt>r2 test</dt><dd data-figure="r2_test">0.78</dd>' in document


def test_published_accuracies_are_not_laid_over_another_quality() -> None:
    assert 'id="published"' not in report(by(F1, replace(searched(), task="cifar10")))


def test_markup_in_the_name_of_a_quality_is_text() -> None:
    evil = replace(MAE, name="<img src=x>", unit="<b>")
    document = report(by(evil, searched()))
    assert [tag for tag, _ in tags(document) if tag in ("img", "b")] == []
    assert "&lt;img src=x&gt;" in told(document)["figures"]["importance"]["layout"]["xaxis"]["title"]["text"]

import json
import re
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

from dashboards import figures, report
from dashboards.page import Column, page, table
from search.record import Choice, StudyRecord, TrialRecord
from tests.dashboards.records import point, study, trial

NAMES = {"front_params", "front_flops", "breakpoints", "hypervolume", "importance", "levels"}
EVIL = "</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(document: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(document.replace(get_plotlyjs(), ""))
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


@pytest.mark.parametrize("record", [study(), study(trial(0, status="failed")), searched()])
def test_the_report_has_a_place_for_every_figure(record: StudyRecord) -> None:
    assert {attrs["id"] for _, attrs in tags(report(record)) if "id" in attrs} == NAMES


def test_nothing_is_fetched() -> None:
    found = tags(report(searched()))
    assert not [attrs for _, attrs in found if {"src", "href"} & set(attrs)]
    (policy,) = (attrs["content"] for _, attrs in found if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_plotly_stands_in_the_report_once() -> None:
    assert report(searched()).count(get_plotlyjs()) == 1


def test_markup_in_names_comes_out_as_text() -> None:
    document = report(searched(EVIL))
    assert [tag for tag, _ in tags(document) if tag == "img"] == []
    assert f"<h1>{EVIL.replace('<', '&lt;').replace('>', '&gt;')}</h1>" in document
    assert EVIL not in document


def test_markup_in_names_adds_no_element() -> None:
    assert [tag for tag, _ in tags(report(searched(EVIL)))] == [tag for tag, _ in tags(report(searched("prune")))]


def test_figures_travel_as_json() -> None:
    document = report(searched(EVIL))
    found = re.search(r"^const figures = (.*);$", document, re.MULTILINE)
    assert found is not None
    assert set(json.loads(found[1])) == NAMES


def test_the_front_is_a_table_by_rising_params_with_test_beside_validation() -> None:
    text = report(searched())
    front = text[text.index("<h2>The front</h2>") : text.index("<h2>Breakpoints</h2>")]
    cells = re.findall(r'<td class="figure">(.*?)</td>', front)
    assert cells[2:5] == ["80.00%", "70.00%", "50"]
    assert [cells[i] for i in range(4, len(cells), 8)] == ["50", "400", "1,000"]


def test_failed_trials_stand_there_with_their_reason() -> None:
    assert '<td class="prose">loss is NaN prune</td>' in report(searched())


def test_the_best_model_under_a_size_is_validations() -> None:
    text = report(searched())
    row = text[text.index("50% of the teacher&#x27;s parameters") :][:220]
    assert re.findall(r'"figure">(.*?)<', row) == ["1", "0%", "95.00%", "85.00%", "400"]


def test_a_table_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        table([Column("one"), Column("two")], [["1"]])


def test_a_title_is_escaped() -> None:
    assert "<title>&lt;b&gt;</title>" in page("<b>", "", {})

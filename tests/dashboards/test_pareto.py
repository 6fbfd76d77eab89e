from dashboards import pareto
from tests.dashboards.records import point, study, trial

TEACHER = trial(0, point(0, 0.99, 1000))


def test_the_steps_are_the_front_of_accuracy_and_that_cost_by_rising_cost() -> None:
    models = [point(1, 0.8, 50), point(1, 0.7, 60, sparsity=0.3), point(1, 0.9, 100, sparsity=0.5)]
    assert pareto.info(study(TEACHER, trial(1, *models)), "flops").steps == ((1000, 0.8), (2000, 0.9), (20000, 0.99))


def test_colour_follows_order_where_the_space_has_one() -> None:
    found = pareto.info(study(trial(1, point(1, 0.9, 10), choices={"student": "cnn", "order": "prune"})), "params")
    assert (found.coloured_by, found.points["group"].tolist()) == ("order", ["prune"])


def test_colour_follows_else_the_first_choice_of_few_words() -> None:
    trials = [trial(i, point(i, 0.9, 10), choices={"lr": i / 10, "student": f"s{i}"}) for i in (1, 2)]
    assert pareto.info(study(*trials), "params").coloured_by == "student"


def test_without_a_choice_of_words_all_points_are_one_group() -> None:
    found = pareto.info(study(trial(1, point(1, 0.9, 10), choices={"lr": 0.1})), "params")
    assert (found.coloured_by, found.points["group"].tolist()) == ("", [""])


def test_the_cost_axis_is_logarithmic_and_accuracy_is_validations() -> None:
    drawing = pareto.figure(pareto.info(study(TEACHER), "params"))
    star = next(trace for trace in drawing.data if trace.name == "teacher")
    assert drawing.layout.xaxis.type == "log"
    assert (list(star.x), list(star.y)) == ([1000], [0.99])


def test_members_of_the_full_front_are_ringed_and_the_others_dimmed() -> None:
    models = trial(1, point(1, 0.9, 100), point(1, 0.8, 200, sparsity=0.5))
    drawing = pareto.figure(pareto.info(study(TEACHER, models), "params"))
    (rings,) = (trace for trace in drawing.data if trace.name == "on the study's front")
    member, dominated = drawing.data[0].marker.opacity
    assert list(rings.x) == [100]
    assert member > dominated


def test_hover_text_shows_test_accuracy_and_disarms_markup() -> None:
    models = trial(1, point(1, 0.9, 100), choices={"order": "<a href='x'>"})
    drawing = pareto.figure(pareto.info(study(TEACHER, models), "params"))
    (text,) = drawing.data[0].hovertext
    assert "test 80.00%" in text
    assert "order &lt;a href='x'&gt;" in text
    assert drawing.data[0].name == "&lt;a href='x'&gt;"


def test_an_empty_study_says_so() -> None:
    assert pareto.figure(pareto.info(study(), "params")).layout.annotations[0].text == "No model has been measured yet."

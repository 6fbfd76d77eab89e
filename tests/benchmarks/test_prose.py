from collections import Counter

from benchmarks.prose import count_by_room, count_words, docstrings, row


def test_docstrings_of_module_class_function_and_constant_are_read() -> None:
    source = '"""Module."""\nLIMIT = 1\n"""Constant."""\nclass C:\n    """Class."""\n    def f(self): "Function."\n'
    assert sorted(docstrings(source)) == ["Class.", "Constant.", "Function.", "Module."]


def test_code_addresses_and_the_value_none_are_no_pronouns() -> None:
    assert count_words(["`it` or None: https://that.one/which", "It is."]) == Counter({"or": 1, "it": 1, "is": 1})


def test_a_row_has_the_share_of_pronouns_and_the_most_frequent() -> None:
    words = Counter({"it": 2, "that": 1, "model": 7})
    assert row("`search`", words) == "| `search` | 10 | 3 | 30.0 | it 2, that 1 |"


def test_every_package_is_counted() -> None:
    rooms = count_by_room()
    assert {"compress/data", "spaces", "search/study", "dashboards", "paretune"} <= set(rooms)
    assert all(words.total() > 100 for words in rooms.values())

"""Which tool a name means: exact, in another spelling, without its prefix, or with one slip; and never another tool."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.calls.naming import Names
from mmos.calls.spec import Spec

OFFERED = [
    "search_web",
    "read_file",
    "event.get_date",
    "consult_model",
    "finance.revenue",
    "convert_currency",
    "insert_row",
    "increase_volume",
]
NAMES = Names([Spec(name, "") for name in OFFERED])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("search_web", "search_web"),
        ("serach_web", "search_web"),
        ("web_search", "search_web"),
        ("searchWeb", "search_web"),
        ("SEARCH-WEB", "search_web"),
        ("readfile", "read_file"),
        ("read\\_file", "read_file"),
        ("`read_file`", "read_file"),
        ("read_file()", "read_file"),
        ("read_files", "read_file"),
        ("functions.read_file", "read_file"),
        ("default_api.tools.read_file:0", "read_file"),
        ("mcp__disk__read_file", "read_file"),
        ("consult-model", "consult_model"),
        ("event_get_date", "event.get_date"),
        ("finance.finance.revenue", "finance.revenue"),
        ("revenue", "finance.revenue"),
    ],
)
def test_a_name_is_found(said: str, meant: str) -> None:
    found = NAMES.near(said)
    assert found.spec is not None
    assert found.spec.name == meant
    assert bool(found.repair) == (said != meant)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "exec_shell",
        "event.get_casualties",
        "convert_length",
        "invert_row",
        "decrease_volume",
        "write_file",
        "delete_row",
        "date",
        "x" * 5000,
        "search",
        "dater",
        "resizer",
    ],
)
def test_another_name_is_no_tool_of_ours(said: str) -> None:
    assert NAMES.near(said).spec is None


def test_what_may_mean_two_is_neither() -> None:
    found = Names([Spec("train.book", ""), Spec("hotel.book", "")]).near("book")
    assert found.spec is None
    assert set(found.rivals) == {"train.book", "hotel.book"}


def test_a_slip_is_for_near_names_only_not_for_sure_ones() -> None:
    assert NAMES.sure("serach_web").spec is None
    assert NAMES.sure("searchWeb").spec is not None


@given(st.text())
def test_any_name_is_looked_up_without_a_fault(said: str) -> None:
    found = NAMES.near(said)
    assert found.spec is None or found.spec.name in OFFERED


@given(st.sampled_from(OFFERED), st.sampled_from(["{}", " {} ", "functions.{}", "`{}`", "{}()"]))
def test_an_offered_name_in_a_usual_dress_is_itself(name: str, dress: str) -> None:
    found = NAMES.sure(dress.format(name))
    assert found.spec is not None
    assert found.spec.name == name

"""A student's roster rows become statements in time: enrolled, transferred, withdrawn, and the gaps between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Data
from contracts.events import StudentEnrolled, StudentTransferred, StudentWithdrawn
from services.evidence.roster.history import FOREVER, Enrolment, history

K, FIRST, SECOND = date(1985, 9, 3), date(1986, 9, 2), date(1987, 9, 1)
K_ENDS, FIRST_ENDS, SECOND_ENDS = date(1986, 5, 30), date(1987, 5, 29), date(1988, 5, 27)


def a_row(begin: date, over: date, *, school: str = "28", class_: str = "", end: date | None = None) -> Enrolment:
    return Enrolment(school, class_ or f"c-{begin.year}", begin, end, over)


def told(rows: Sequence[Enrolment]) -> list[Data]:
    return history(rows, lambda classes: {"c-1985": "K", "c-1986": "1", "c-1987": "2"}.get(next(iter(classes), ""), "U"), None)


def enrolled(school: str, grade: str, begin: date, *classes: str) -> StudentEnrolled:
    return StudentEnrolled(school=school, grade=grade, classes=classes, effective=begin)


def test_a_row_without_an_end_holds_until_the_next_statement() -> None:
    assert told([a_row(K, K_ENDS), a_row(FIRST, FIRST_ENDS)]) == [
        enrolled("28", "K", K, "c-1985"),
        enrolled("28", "1", FIRST, "c-1986"),
    ]


def test_a_gap_year_is_a_withdrawal_and_a_new_enrolment() -> None:
    assert told([a_row(SECOND, SECOND_ENDS), a_row(K, K_ENDS, end=K_ENDS)]) == [
        enrolled("28", "K", K, "c-1985"),
        StudentWithdrawn(school="28", reason="enrollment-ended", effective=K_ENDS),
        enrolled("28", "2", SECOND, "c-1987"),
    ]


def test_another_school_is_a_transfer_unless_she_had_left() -> None:
    assert told([a_row(K, K_ENDS), a_row(FIRST, FIRST_ENDS, school="41")])[1] == StudentTransferred(
        from_school="28", school="41", grade="1", classes=("c-1986",), effective=FIRST
    )
    kinds = [type(each) for each in told([a_row(K, K_ENDS, end=K_ENDS), a_row(FIRST, FIRST_ENDS, school="41")])]
    assert kinds == [StudentEnrolled, StudentWithdrawn, StudentEnrolled]


def test_a_row_that_begins_the_day_after_is_no_gap() -> None:
    rows = [a_row(K, K_ENDS, end=K_ENDS), a_row(K_ENDS + timedelta(days=1), FIRST_ENDS, class_="c-1986")]
    assert [type(each) for each in told(rows)] == [StudentEnrolled, StudentEnrolled]


def test_classes_of_the_same_term_stay_and_those_that_are_over_do_not() -> None:
    october = date(1985, 10, 1)
    rows = [a_row(K, K_ENDS, class_="a"), a_row(K, K_ENDS, class_="b", end=date(1985, 9, 20)), a_row(october, K_ENDS, class_="c")]
    assert [each.classes for each in told(rows) if isinstance(each, StudentEnrolled)] == [("a", "b"), ("a", "c")]
    later = told([*rows, a_row(FIRST, FIRST_ENDS)])[-1]
    assert isinstance(later, StudentEnrolled)
    assert later.classes == ("c-1986",)


def test_nobody_without_rows_has_a_history() -> None:
    assert told([]) == []


DAYS = st.integers(0, 1500).map(lambda days: K + timedelta(days=days))


@st.composite
def any_rows(draw: st.DrawFn) -> list[Enrolment]:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        begin = draw(DAYS)
        end = begin + timedelta(days=draw(st.integers(0, 400))) if draw(st.booleans()) else None
        over = draw(st.sampled_from([begin + timedelta(days=200), FOREVER]))
        rows.append(Enrolment(draw(st.sampled_from("AB")), draw(st.sampled_from("xyz")), begin, end, over))
    return rows


@given(any_rows(), st.randoms())
def test_any_rows_give_one_legal_history_in_whatever_order_they_come(rows: list[Enrolment], random: object) -> None:
    statements = told(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert told(shuffled) == statements
    here: str | None = None
    before = date.min
    for each in statements:
        assert isinstance(each, StudentEnrolled | StudentTransferred | StudentWithdrawn)
        assert each.effective >= before
        before = each.effective
        match each:
            case StudentEnrolled():
                assert here in (None, each.school)
                here = each.school
            case StudentTransferred():
                assert here == each.from_school != each.school
                here = each.school
            case StudentWithdrawn():
                assert here == each.school
                here = None
    last = max(row.begin for row in rows)
    open_end = any(row.begin == last and row.end is None for row in rows)
    assert not open_end or here is not None

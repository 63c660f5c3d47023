"""The arithmetic of the pages: shares that add up, ladders, next steps, weeks, lag."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import FrameworkPublished, PolicyPublished, ScalePublished
from contracts.events.frameworks import Competency, Level, Method
from contracts.events.schools import Period
from services.reporting.domain import Standing
from services.reporting.figures import decimal, distribution, in_order, matrix, on_axes, paginate, shares
from services.reporting.ladders import Ladder, Policies, Rung, ladder_of, merged
from services.reporting.profile import NEXT_STEPS, framework_of, next_steps
from services.reporting.progress import PartitionProgress, Progress, PublisherCounters, behind
from services.reporting.weeks import blocks_of, monday, neighbours, shown_week

TODAY = dt.date(2026, 10, 7)


def a_scale(code: str = "d4", labels: tuple[str, ...] = ("Beginning", "Developing", "Proficient", "Mastered")) -> ScalePublished:
    levels = tuple(Level(level=rank, label=label, at_thousandths=rank * 1000) for rank, label in enumerate(labels, 1))
    return ScalePublished(scale=code, version=1, label=code, levels=levels)


def a_policy(code: str = "district", *, scale: str = "d4", **fields: object) -> PolicyPublished:
    stated = {"policy": code, "version": 1, "framework": "hs", "method": Method(name="latest"), "order": "occurred", "scale": scale}
    return PolicyPublished.model_validate(stated | fields)


def a_framework() -> FrameworkPublished:
    members = (
        Competency(competency="MA.1", label="Linear functions", axis="content"),
        Competency(competency="WR.1", label="Explain in writing", axis="language"),
        Competency(competency="MA.2", label="Ratios", axis="content"),
    )
    return FrameworkPublished(framework="hs", version=2, label="High school", count=3, competencies=members)


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_shares_add_up_and_none_is_off_by_one_or_more(counts: list[int]) -> None:
    parts = shares(counts)
    assert sum(parts) == (100 if sum(counts) else 0)
    assert all(abs(part - count * 100 / (sum(counts) or 1)) < 1 for part, count in zip(parts, counts, strict=True))
    assert all(part == 0 for part, count in zip(parts, counts, strict=True) if count == 0)


def test_thirds_round_up_the_first() -> None:
    assert shares([1, 1, 1]) == [34, 33, 33]


@pytest.mark.parametrize(
    ("thousandths", "text"), [(2500, "2.5"), (2000, "2"), (-50, "-0.05"), (0, "0"), (1, "0.001"), (4130, "4.13")]
)
def test_thousandths_read_as_decimals(thousandths: int, text: str) -> None:
    assert decimal(thousandths) == text


def test_a_distribution_counts_who_has_no_level_among_the_enrolled() -> None:
    rows = distribution(ladder_of(a_scale()), {2: 3, 4: 1}, enrolled=6)
    assert [(row.level, row.label, row.count, row.percent) for row in rows] == [
        (None, "No level yet", 2, 33),
        (1, "Beginning", 0, 0),
        (2, "Developing", 3, 50),
        (3, "Proficient", 0, 0),
        (4, "Mastered", 1, 17),
    ]


def test_a_matrix_has_every_competency_on_its_axis_and_lost_ones_last() -> None:
    made = matrix(a_framework(), "hs", {("MA.2", 1): 4, ("OLD.1", 2): 1}, 5, ladder_of(a_scale()))
    assert [(axis.label, [row.competency for row in axis.rows]) for axis in made.axes] == [
        ("Content", ["MA.1", "MA.2"]),
        ("Language", ["WR.1"]),
        ("Other competencies", ["OLD.1"]),
    ]
    assert [level.count for level in made.axes[0].rows[1].levels] == [1, 4, 0, 0, 0]
    assert made.columns == ("No level yet", "Beginning", "Developing", "Proficient", "Mastered")


def test_an_unknown_framework_still_shows_what_was_seen() -> None:
    assert on_axes(None, ["B", "A"]) == [("", [("A", "A"), ("B", "B")])]


def test_grades_come_as_schools_count_them() -> None:
    assert in_order(["10", "9", "K", "1"]) == ["K", "1", "9", "10"]


def test_an_empty_list_has_one_page() -> None:
    assert (paginate(0, 1, 40).pages, paginate(41, 2, 40).previous, paginate(41, 2, 40).next) == (1, 1, None)


def test_ladders_merge_and_a_level_called_two_ways_gets_its_number() -> None:
    other = Ladder((Rung(1, "Beginning", 1), Rung(2, "Growing", 2)))
    both = merged([ladder_of(a_scale()), other], held=[7])
    assert [(rung.level, rung.label) for rung in both.rungs] == [
        (1, "Beginning"),
        (2, "Level 2"),
        (3, "Proficient"),
        (4, "Mastered"),
        (7, "Level 7"),
    ]


def test_the_nearest_policy_names_the_levels() -> None:
    scales = {code: a_scale(code, (code,)) for code in ("wide", "school", "named", "later", "past")}
    history = [
        (1, a_policy("p", scale="past")),
        (2, a_policy("p", scale="wide")),
        (3, a_policy("s", scale="school", school="HS1")),
        (4, a_policy("n", scale="named", competencies=("MA.2",))),
        (5, a_policy("f", scale="later", effective=TODAY + dt.timedelta(days=1))),
    ]
    policies = Policies(history, scales)

    def label(competency: str, school: str | None, date: dt.date = TODAY) -> str:
        return policies.ladder("hs", competency, school, date).rungs[0].label

    assert label("MA.1", None) == "wide"
    assert label("MA.1", "HS1") == "school"
    assert label("MA.2", None) == "named"
    assert label("MA.2", "HS1") == "school"
    assert label("MA.1", "HS2", TODAY + dt.timedelta(days=1)) == "later"
    assert policies.ladder("other", "X", None, TODAY) == Ladder()
    assert policies.ladder_named("n", 1).rungs[0].label == "named"
    assert policies.ladder_named("never", 1) == Ladder()


def standings() -> dict[str, Standing]:
    return {
        "MA.1": Standing(3, 2, 2900, "district", 1, None, 5),
        "MA.2": Standing(2, 2, 2100, "district", 1, None, 6),
        "WR.1": Standing(1, None, None, "district", 1, "too-few", 7),
    }


def test_a_profile_shows_the_whole_framework_with_places_and_reasons() -> None:
    ladder = ladder_of(a_scale())
    its = standings() | {"MA.2": Standing()}
    made = framework_of("hs", a_framework(), its, lambda *_: ladder)
    content, language = made.axes
    assert [(row.label, row.level_label, row.rank, row.ranks, row.value) for row in content.rows] == [
        ("Linear functions", "Developing", 2, 4, "2.9"),
        ("Ratios", "No evidence yet", 0, 4, None),
    ]
    assert (language.rows[0].level_label, language.rows[0].reason, language.held, content.held) == (
        "Not enough evidence yet",
        "too-few",
        0,
        1,
    )


def test_next_steps_are_the_lowest_first_then_the_nearest_and_never_what_is_not_begun() -> None:
    ladder = ladder_of(a_scale())
    its = standings()
    steps = next_steps(framework_of("hs", a_framework(), its, lambda *_: ladder), its, lambda *_: ladder)
    assert [(step.competency, step.next, step.at) for step in steps] == [
        ("WR.1", "Beginning", "1"),
        ("MA.1", "Proficient", "3"),
        ("MA.2", "Proficient", "3"),
    ]
    top = {"MA.1": Standing(5, 4, 4000, "district", 1, None, 9)}
    assert next_steps(framework_of("hs", a_framework(), top, lambda *_: ladder), top, lambda *_: ladder) == ()
    assert len(steps) <= NEXT_STEPS


def test_the_week_shown_is_the_one_asked_for_or_this_one_or_the_last_planned() -> None:
    planned = [dt.date(2026, 9, 7), dt.date(2026, 9, 21)]
    assert shown_week(dt.date(2026, 9, 10), planned, TODAY) == dt.date(2026, 9, 7)
    assert shown_week(None, planned, TODAY) == dt.date(2026, 9, 21)
    assert shown_week(None, [*planned, monday(TODAY)], TODAY) == monday(TODAY)
    assert shown_week(None, [], TODAY) == monday(TODAY)
    assert neighbours(dt.date(2026, 9, 14), planned) == (planned[0], planned[1])
    assert neighbours(planned[0], planned) == (None, planned[1])


def test_blocks_come_in_order_of_the_clock_and_say_how_full_they_are() -> None:
    bells = {"B": Period(period="B", starts="09:00", ends="09:40"), "A": Period(period="A", starts="13:00", ends="13:40")}
    taken = [(TODAY, "A", "X", "hs", "MA.1", 2), (TODAY, "B", "X", "hs", "MA.1", 3), (TODAY, "B", "X", "hs", "MA.2", 4)]
    blocks = blocks_of(taken, {}, bells, {("hs", "MA.1"): "Linear functions"})
    assert [(block.period, block.sections[0].students) for block in blocks] == [("B", 7), ("A", 2)]
    assert [need.label for need in blocks[0].sections[0].needs] == ["MA.2", "Linear functions"]


def test_lag_is_never_negative_and_unknown_when_the_log_is() -> None:
    assert behind((10, 20), 1, 15) == 5
    assert behind((10, 20), 1, 21) == 0
    assert behind(None, 0, 3) is None
    known = tuple(PartitionProgress(number, None, 0, lag, None) for number, lag in enumerate((2, 3)))
    assert Progress("mastery", answers=True, partitions=known).behind == 5
    assert Progress("mastery", answers=True, partitions=(*known, PartitionProgress(2, None, 0, None, None))).behind is None
    assert Progress("mastery", answers=False).behind is None


def test_counters_that_do_not_add_up_are_seen() -> None:
    assert PublisherCounters("app", 10, 6, 1, 2, 1).adds_up
    assert not PublisherCounters("app", 11, 6, 1, 2, 1).adds_up

"""A week's blocks come from the calendar, its sections from flex duty, and a class keeps its students."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts.events.schools import Period
from services.chassis.errors import Rejected
from services.scheduling.week import Block, blocks_of, busy_of, monday_of, week_name
from tests.unit.scheduling.builders import MONDAY, TUESDAY, WEEK, a_calendar, a_class, a_section

MONDAYS_FLEX = Block(MONDAY, "10:00", "FLEX")


@pytest.mark.parametrize("text", ["2026-W41", "2026-10-05", "2026-10-07", "2026-10-11"])
def test_a_week_is_asked_for_by_number_or_by_any_of_its_days(text: str) -> None:
    assert monday_of(text) == MONDAY


@pytest.mark.parametrize("text", ["", "2026-W54", "2026-W00", "2026-13-01", "next week", "9999-12-31", "0001-01-01", "2026-w41"])
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        monday_of(text)
    assert (refused.value.code, refused.value.pointer) == ("no-week", "/week")


def test_a_week_that_begins_in_the_old_year_has_its_own_name() -> None:
    assert week_name(dt.date(2025, 12, 29)) == "2026-W01"
    assert monday_of("2026-W01") == dt.date(2025, 12, 29)


def test_every_school_day_has_a_block_a_flex_period_in_order_of_time() -> None:
    blocks = list(blocks_of(MONDAY, a_calendar(flex=("FLEX-1", "FLEX-2")), ()))
    assert len(blocks) == 10
    assert blocks == sorted(blocks)
    assert {block.day for block in blocks} == set(WEEK)


def test_a_closed_day_and_a_day_outside_the_terms_have_none() -> None:
    assert TUESDAY not in {block.date for block in blocks_of(MONDAY, a_calendar(closed=[TUESDAY]), ())}
    first_week = blocks_of(dt.date(2026, 9, 7), a_calendar(), ())
    assert min(block.date for block in first_week) == dt.date(2026, 9, 8)
    assert blocks_of(dt.date(2027, 7, 5), a_calendar(), ()) == {}


def test_a_weekend_day_has_a_block_only_where_a_section_meets() -> None:
    saturday = dt.date(2026, 10, 10)
    assert saturday not in {block.date for block in blocks_of(MONDAY, a_calendar(), [a_section("S")])}
    assert saturday in {block.date for block in blocks_of(MONDAY, a_calendar(), [a_section("S", "SAT-FLEX")])}


def test_a_block_offers_the_flex_duties_that_meet_in_it() -> None:
    classes = [
        a_section("there", "MON-FLEX", capacity=3, competencies=["B", "A", "A"]),
        a_section("another-day", "TUE-FLEX"),
        a_section("another-period", "MON-P1"),
        a_class("taught", "MON-FLEX"),
        a_class("gone", "MON-FLEX", duty="flex", active=False),
        a_class("next-term", "MON-FLEX", duty="flex", term="T2"),
    ]
    [section] = blocks_of(MONDAY, a_calendar(), classes)[MONDAYS_FLEX]
    assert (section.class_, section.capacity, section.competencies) == ("there", 3, ("A", "B"))


def test_a_taught_class_keeps_its_students_when_it_meets() -> None:
    blocks = blocks_of(MONDAY, a_calendar(), ())
    assert busy_of(a_class("C", "MON-FLEX", "TUE-P1"), blocks, a_calendar()) == {MONDAYS_FLEX}
    assert busy_of(a_class("C", "MON-FLEX", duty="flex"), blocks, a_calendar()) == set()
    assert busy_of(a_class("C", "MON-FLEX", active=False), blocks, a_calendar()) == set()


def test_a_class_in_a_period_that_overlaps_the_block_keeps_its_students_too() -> None:
    double = Period(period="P1-2", starts="09:30", ends="10:01")
    touching = Period(period="P0", starts="09:00", ends="10:00")
    calendar = a_calendar(extra=[double, touching])
    blocks = blocks_of(MONDAY, calendar, ())
    assert busy_of(a_class("C", "MON-P1-2"), blocks, calendar) == {MONDAYS_FLEX}
    assert busy_of(a_class("C", "MON-P0"), blocks, calendar) == set()


def test_a_class_of_a_term_that_nobody_knows_is_taken_to_meet_but_offers_no_seats() -> None:
    blocks = blocks_of(MONDAY, a_calendar(), [a_class("S", "MON-FLEX", duty="flex", term="T9")])
    assert blocks[MONDAYS_FLEX] == ()
    assert busy_of(a_class("C", "MON-FLEX", term="T9"), blocks, a_calendar()) == {MONDAYS_FLEX}

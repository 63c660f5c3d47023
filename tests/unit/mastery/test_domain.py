"""Given these events, this is where the student stands, and this is what was told."""

from __future__ import annotations

import datetime as dt

import pytest

from services.chassis.errors import Poison
from services.mastery.domain import initial
from tests.unit.mastery.events import (
    ADA,
    BEN,
    PartitionLog,
    a_framework,
    a_policy,
    a_scale,
    a_tick,
    an_evidence_submitted,
    at,
    enrolled,
    transferred,
    withdrawn,
)
from tests.unit.mastery.folding import Folded

OCTOBER = dt.date(2026, 10, 1)


def a_log(policy: str = "decaying", **changes: object) -> PartitionLog:
    """A log with a scale and a policy."""
    log = PartitionLog()
    log.add(a_tick(OCTOBER))
    log.add(a_scale())
    log.add(a_policy(policy, **changes))
    return log


# How evidence becomes a level


def test_a_first_score_gives_its_level_and_is_told_with_the_policy_that_says_so() -> None:
    log = a_log()
    log.add(an_evidence_submitted(3.5), ADA)
    folded = Folded(log.entries)
    standing = folded.standing(ADA)
    assert (standing.level, standing.value, standing.policy, standing.version) == (3, 3500, "district", 1)
    (move,) = folded.moves(ADA)
    assert (move.previous_level, move.level, move.pieces, move.policy_version) == (None, 3, 1, 1)


def test_a_score_that_changes_nothing_is_counted_and_not_told() -> None:
    log = a_log("highest")
    log.add(an_evidence_submitted(3.5), ADA)
    log.add(an_evidence_submitted(2.0), ADA, time=at(1))
    folded = Folded(log.entries)
    assert folded.standing(ADA).tally.n == 2
    assert len(folded.moves(ADA)) == 1


def test_the_level_is_read_from_the_rounded_value() -> None:
    log = a_log("average", decimals=1)
    for score in (2.9, 3.0, 2.95):
        log.add(an_evidence_submitted(score), ADA)
    assert Folded(log.entries).standing(ADA).level == 3  # 2.95 rounds to 3.0


def test_zero_is_evidence_and_no_evidence_is_not_a_level() -> None:
    log = a_log("average")
    log.add(an_evidence_submitted(4.0), ADA)
    log.add(an_evidence_submitted(0.0), ADA)
    log.add(an_evidence_submitted(0.0), BEN)
    folded = Folded(log.entries)
    assert folded.standing(ADA).value == 2000
    assert (folded.standing(BEN).level, folded.standing(BEN).value, folded.standing(BEN).reason) == (None, 0, "below-scale")
    assert ("math", "MA.2") not in folded.students[ADA].standings


def test_practice_is_recorded_and_does_not_count() -> None:
    log = a_log()
    log.add(an_evidence_submitted(4.0, kind="practice"), ADA)
    folded = Folded(log.entries)
    assert (folded.standing(ADA).level, folded.standing(ADA).reason) == (None, "no-evidence")
    assert len(folded.students[ADA].pieces) == 1


def test_previous_is_the_level_before_the_last_one() -> None:
    log = a_log("latest")
    for day, score in enumerate((2.0, 4.0, 4.5)):
        log.add(an_evidence_submitted(score), ADA, time=at(day))
    assert Folded(log.entries).standing(ADA).previous == 2


def test_a_score_on_a_converting_scale_is_worth_what_the_level_it_reaches_is_worth() -> None:
    log = a_log("average")
    log.add(a_scale("star", (100, 200, 300, 400), converts_to="d4"))
    log.add(an_evidence_submitted(250, scale="star"), ADA)  # level 2
    log.add(an_evidence_submitted(400, scale="star"), ADA)  # level 4
    log.add(an_evidence_submitted(99, scale="star"), ADA)  # below the first
    log.add(an_evidence_submitted(99, scale="percent"), ADA)  # nobody says what it is worth
    standing = Folded(log.entries).standing(ADA)
    assert (standing.value, standing.tally.n) == (3000, 2)


# Failures of today's systems, each a test (domain.md)


def test_make_up_work_entered_late_counts_where_it_belongs() -> None:
    """The same five marks give 4.68 in order of occurrence and 4.96 in order of entry (rolling 80)."""

    def value(order: str) -> int | None:
        log = a_log("decaying", order=order, weight=80)
        for day, score in ((3, 0.0), (1, 5.0), (4, 4.0), (2, 5.0), (5, 5.0)):  # days 1 and 2 were made up for
            log.add(an_evidence_submitted(score), ADA, time=at(day))
        return Folded(log.entries).standing(ADA).value

    assert value("occurred") == 4680
    assert value("recorded") == 4960


def test_a_second_attempt_never_overwrites_the_first() -> None:
    log = a_log("highest")
    log.add(an_evidence_submitted(4.0, attempt=1), ADA)
    log.add(an_evidence_submitted(2.0, attempt=2), ADA)
    folded = Folded(log.entries)
    assert [piece.attempt for piece in folded.students[ADA].pieces] == [1, 2]
    assert folded.standing(ADA).level == 4


def test_two_scores_within_the_same_second_both_count_in_the_order_of_their_source_and_number() -> None:
    def value(*numbers: int) -> int | None:
        log = a_log("latest")
        for number in numbers:
            log.add(an_evidence_submitted(number), ADA, id=f"id-{9 - number}", sourcesequence=number)
        folded = Folded(log.entries)
        assert folded.standing(ADA).tally.n == len(numbers)
        return folded.standing(ADA).value

    assert value(1, 2, 3) == value(3, 1, 2) == 3000


def test_of_two_scores_at_one_time_the_one_without_a_number_goes_first() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(4.0), ADA, sourcesequence=0)
    log.add(an_evidence_submitted(1.0), ADA)
    assert Folded(log.entries).standing(ADA).value == 4000


def test_one_method_name_means_one_formula() -> None:
    """ "Average" of one app and "average" of another differed; here the definition is the oracle's, see test_policies."""
    log = a_log("weighted", weight=65)
    for day, score in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
        log.add(an_evidence_submitted(score), ADA, time=at(day))
    assert Folded(log.entries).standing(ADA).value == 4130


# Which policy is in force


def test_without_a_policy_evidence_is_kept_and_the_level_says_why_there_is_none() -> None:
    log = PartitionLog()
    log.add(a_scale())
    log.add(an_evidence_submitted(3.0), ADA)
    before = Folded(log.entries)
    assert (before.standing(ADA).level, before.standing(ADA).reason) == (None, "no-policy")
    log.add(a_policy())
    assert Folded(log.entries).standing(ADA).level == 3


def test_a_policy_whose_scale_is_not_published_waits_for_it() -> None:
    log = PartitionLog()
    log.add(a_policy())
    log.add(an_evidence_submitted(3.0), ADA)
    assert Folded(log.entries).standing(ADA).reason == "no-policy"
    log.add(a_scale())
    assert Folded(log.entries).standing(ADA).level == 3


def test_a_new_version_moves_everybody_once_from_its_own_position() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(4.0), ADA, time=at(0))
    log.add(an_evidence_submitted(1.0), ADA, time=at(1))
    log.add(a_policy("highest", version=2))
    folded = Folded(log.entries)
    assert [(move.level, move.policy_version) for move in folded.moves(ADA)] == [(4, 1), (1, 1), (4, 2)]
    assert folded.standing(ADA).previous == 1


def test_a_dated_policy_comes_with_the_tick_of_its_date() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(4.0), ADA, time=at(0))
    log.add(an_evidence_submitted(1.0), ADA, time=at(1))
    log.add(a_policy("highest", version=2, effective=OCTOBER + dt.timedelta(days=2)))
    log.add(a_tick(OCTOBER + dt.timedelta(days=1)))
    assert Folded(log.entries).standing(ADA).level == 1
    log.add(a_tick(OCTOBER + dt.timedelta(days=2)))
    folded = Folded(log.entries)
    assert (folded.standing(ADA).level, folded.standing(ADA).version) == (4, 2)


def test_of_two_policies_the_one_that_came_into_force_last_counts_not_the_one_published_last() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(4.0), ADA, time=at(0))
    log.add(an_evidence_submitted(1.0), ADA, time=at(1))
    log.add(a_policy("highest", version=2, effective=OCTOBER + dt.timedelta(days=2)))
    log.add(a_policy("average", version=3))
    assert Folded(log.entries).standing(ADA).version == 3
    log.add(a_tick(OCTOBER + dt.timedelta(days=5)))
    assert Folded(log.entries).standing(ADA).version == 2


def test_a_schools_own_policy_goes_before_the_districts_and_a_named_competency_before_all() -> None:
    log = a_log("latest")
    log.add(a_policy("highest", policy="named", competencies=("MA.1",)))
    log.add(a_policy("average", policy="own", school="HS1"))
    log.add(enrolled("HS1"), ADA)
    log.add(enrolled("HS2"), BEN)
    for student in (ADA, BEN):
        log.add(an_evidence_submitted(3.0), student)
        log.add(an_evidence_submitted(3.0, competency="MA.2"), student)
    folded = Folded(log.entries)
    assert [folded.standing(ADA, c).policy for c in ("MA.1", "MA.2")] == ["own", "own"]
    assert [folded.standing(BEN, c).policy for c in ("MA.1", "MA.2")] == ["named", "district"]


def test_a_next_version_replaces_the_one_before_even_where_it_says_less() -> None:
    log = a_log("latest")
    log.add(a_policy("highest", policy="own", school="HS1", competencies=("MA.1",)))
    log.add(enrolled("HS1"), ADA)
    for score in (4.0, 2.0):
        log.add(an_evidence_submitted(score), ADA)
    assert Folded(log.entries).standing(ADA).policy == "own"
    log.add(a_policy("average", policy="own", version=2, school="HS2"))
    folded = Folded(log.entries)
    assert (folded.standing(ADA).policy, folded.standing(ADA).value) == ("district", 2000)


def test_another_schools_policy_is_hers_from_her_transfer_on() -> None:
    log = a_log("latest")
    log.add(a_policy("highest", policy="own", school="HS2"))
    log.add(enrolled("HS1"), ADA)
    log.add(an_evidence_submitted(4.0), ADA, time=at(0))
    log.add(an_evidence_submitted(1.0), ADA, time=at(1))
    log.add(transferred("HS2"), ADA)
    folded = Folded(log.entries)
    assert (folded.standing(ADA).level, folded.standing(ADA).policy) == (4, "own")
    assert folded.told[-1][1].school == "HS2"  # type: ignore[attr-defined]


def test_a_transfer_with_a_later_date_waits_for_it() -> None:
    log = a_log("latest")
    log.add(enrolled("HS1"), ADA)
    log.add(transferred("HS2", OCTOBER + dt.timedelta(days=1)), ADA)
    assert Folded(log.entries).students[ADA].school == "HS1"
    log.add(a_tick(OCTOBER + dt.timedelta(days=1)))
    assert Folded(log.entries).students[ADA].school == "HS2"


def test_leaving_moves_no_level_and_the_school_stops_counting_her_the_day_after() -> None:
    log = a_log("latest")
    log.add(a_policy("highest", policy="own", school="HS1"))
    log.add(enrolled("HS1"), ADA)
    log.add(an_evidence_submitted(4.0), ADA)
    log.add(withdrawn("HS1", OCTOBER), ADA)
    assert Folded(log.entries).students[ADA].counted_at == "HS1"
    log.add(a_tick(OCTOBER + dt.timedelta(days=1)))
    student = Folded(log.entries).students[ADA]
    assert (student.counted_at, student.school) == (None, "HS1")
    assert Folded(log.entries).standing(ADA).policy == "own"


def test_leaving_a_school_where_she_no_longer_is_changes_nothing() -> None:
    log = a_log()
    log.add(enrolled("HS2"), ADA)
    log.add(withdrawn("HS1"), ADA)
    assert Folded(log.entries).students[ADA].counted_at == "HS2"


def test_a_new_version_of_a_scale_moves_who_stands_on_it() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(2.5), ADA)
    log.add(a_scale("d4", (1, 2, 2.5, 4), version=2))
    folded = Folded(log.entries)
    assert folded.standing(ADA).level == 3
    assert [move.level for move in folded.moves(ADA)] == [2, 3]


def test_a_new_version_of_a_converting_scale_moves_whoever_has_scores_on_it() -> None:
    log = a_log("latest")
    log.add(a_scale("star", (100, 200), converts_to="d4"))
    log.add(an_evidence_submitted(150, scale="star"), ADA)
    log.add(a_scale("star", (100, 150), converts_to="d4", version=2))
    assert Folded(log.entries).standing(ADA).level == 2
    log.add(a_scale("star", (100, 150), version=3))  # no longer converts
    assert Folded(log.entries).standing(ADA).reason == "no-evidence"


def test_n_mastery_says_why_there_is_no_level_yet() -> None:
    log = a_log("n_mastery", results=2, mastery=3000)
    reasons = []
    for score in (3.0, 1.0, 4.0):
        log.add(an_evidence_submitted(score), ADA)
        reasons.append(Folded(log.entries).standing(ADA).reason)
    assert reasons == ["too-few", "not-yet-mastered", None]
    assert Folded(log.entries).standing(ADA).value == 3500


# What cannot be applied


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (a_policy("n_mastery"), "incomplete-method"),
        (a_policy("decaying", weight=10), "incomplete-method"),
        (a_scale("d4", (1, 3, 2)), "levels-not-ascending"),
        (a_framework(count=3), "count-differs"),
        (a_framework(competencies=("A", "A")), "count-differs"),
    ],
)
def test_a_reference_event_that_cannot_be_applied_is_void(data: object, reason: str) -> None:
    log = PartitionLog()
    entry = log.add(data)  # type: ignore[arg-type]
    with pytest.raises(Poison) as refused:
        Folded().view.version_of(entry)
    assert refused.value.reason == reason


def test_an_event_of_another_service_changes_nothing() -> None:
    log = PartitionLog()
    log.add(a_framework())
    assert Folded(log.entries).students == {}
    assert initial.counted_at is None

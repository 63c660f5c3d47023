"""Corrections, merges, revocations in any legal order: what counts is what the oracle counts; an error put right leaves no mark."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import timestamp
from contracts.events import EvidenceCarried
from contracts.events.mastery import Move
from services.mastery.domain import as_known, evidence
from services.mastery.standings import NOTHING, Key, Piece, stand
from services.mastery.worlds import law_at, rules_at
from tests.errors import ERRORS, PEOPLE, Submission, told_clean, told_with_errors, told_with_one_error
from tests.histories import History
from tests.oracle.records import Counted, what_counts
from tests.story import Story
from tests.unit.mastery.events import TEACHER, a_policy, a_scale, an_evidence_submitted, at
from tests.unit.mastery.folding import Folded

OTHER = "p-" + "u" * 26
KINDS = ("submit", "keyed", "carry", "supersede", "retract", "withdraw", "merge", "unmerge", "revoke", "reinstate")

# What happens next, and two numbers to choose by.
Happenings = list[tuple[str, int, int]]
HAPPENINGS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 60), st.integers(0, 60)), max_size=40)


def a_history(happenings: Happenings, order: str = "occurred") -> History:
    """What of these can happen, in this order, under a policy that every piece moves."""
    history = History(Story(1))
    history.story.tick(days=1)
    history.story.tell(a_scale())
    history.story.tell(a_policy("decaying", order=order))
    for kind, a, b in happenings:
        happen(history, kind, a, b)
    return history


def happen(history: History, kind: str, a: int, b: int) -> None:
    pieces = [place for place, told in history.told.items() if not hasattr(told.data, "scope")]
    somebody = [who for who in range(PEOPLE) if who not in history.into]
    match kind:
        case "submit":
            history.submit(a % PEOPLE, a_piece(a, b), time=at(seconds=b % 5), sourcesequence=(None, a % 3)[b % 2])
        case "keyed":
            key = f"key-{a % PEOPLE}-{b % 3}"
            history.submit(a % PEOPLE, a_piece(a, b), key=key, time=at(seconds=b % 5), sourcesequence=(None, a % 4)[b % 2])
        case "carry":
            carried = EvidenceCarried(framework="math", competency=f"MA.{1 + b % 2}", level=1 + a % 4, scale="d4")
            history.submit(a % PEOPLE, carried, time=at(seconds=b % 5))
        case "supersede" if pieces:
            history.supersede(pieces[a % len(pieces)], a_piece(b, a), time=at(seconds=b % 5), sourcesequence=(None, b % 3)[a % 2])
        case "retract" if history.told:
            history.retract(list(history.told)[a % len(history.told)])
        case "withdraw" if pieces:
            history.retract(pieces[a % len(pieces)], record=True, sourcesequence=(None, b % 4)[a % 2])
        case "merge" if len(somebody) > 1:
            survivor = somebody.pop(a % len(somebody))
            history.merge(survivor, somebody[b % len(somebody)])
        case "unmerge":
            if back := [who for who, into in history.into.items() if into not in history.into]:
                history.unmerge(back[a % len(back)])
        case "revoke":
            history.revoke((TEACHER, OTHER)[a % 2], (None, at(seconds=b % 5))[b % 2])
        case "reinstate":
            history.reinstate((TEACHER, OTHER)[a % 2])


def a_piece(a: int, b: int) -> Any:
    kind = ("assessment", "practice", "judgement")[a % 3 if b % 3 == 0 else 0]
    return an_evidence_submitted(b % 9 / 2, competency=f"MA.{1 + b % 2}", assessor=(None, TEACHER, OTHER)[a % 3], kind=kind)


def as_counted(piece: Piece) -> Counted:
    tie = (timestamp(piece.time), piece.source, -1 if piece.sequence is None else piece.sequence, piece.id)
    return (*tie, piece.position, piece.framework, piece.competency, piece.scale, piece.score, piece.kind)


@settings(max_examples=400, deadline=None)
@given(HAPPENINGS)
def test_what_counts_is_what_the_oracle_counts(happenings: Happenings) -> None:
    history = a_history(happenings)
    folded = Folded(history.story.entries(0))
    expected = what_counts(history.story.records)
    found = {
        who: sorted(as_counted(piece) for pieces in evidence(student).values() for piece in pieces)
        for who, student in folded.students.items()
        if student.into is None
    }
    assert {who: theirs for who, theirs in found.items() if theirs} == {who: theirs for who, theirs in expected.items() if theirs}


@settings(max_examples=150, deadline=None)
@given(HAPPENINGS, st.sampled_from(["occurred", "recorded"]))
def test_everybody_stands_where_all_that_counts_has_her_stand(happenings: Happenings, order: str) -> None:
    folded = Folded(a_history(happenings, order).story.entries(0))
    rules = rules_at(folded.reference.at(10**9))
    for student in folded.students.values():
        theirs = evidence(student)
        assert student.standings.keys() == theirs.keys()
        for key, kept in student.standings.items():
            anew = stand(theirs[key], rules(*key, student.school), NOTHING)
            assert anew._replace(previous=kept.previous) == kept


@settings(max_examples=100, deadline=None)
@given(HAPPENINGS)
def test_folding_what_was_told_gives_every_level_and_nothing_of_what_is_withdrawn(happenings: Happenings) -> None:
    folded = Folded(a_history(happenings).story.entries(0))
    for who, student in folded.students.items():
        last: dict[Key, Move] = {(move.framework, move.competency): move for move in folded.moves(who)}
        for key, standing in student.standings.items():
            move = last.pop(key)
            assert (move.level, move.value_thousandths, move.reason) == (standing.level, standing.value, standing.reason)
        assert all((move.level, move.pieces, move.policy) == (None, 0, None) for move in last.values())


SUBMISSIONS = st.lists(
    st.builds(
        Submission,
        st.integers(0, PEOPLE - 1),
        st.integers(0, 8),
        st.integers(0, 1),
        st.integers(0, 4),
        st.one_of(st.none(), st.integers(0, 2)),
    ),
    max_size=14,
)


@settings(max_examples=300, deadline=None)
@given(SUBMISSIONS, st.sampled_from(["occurred", "recorded"]), st.randoms(use_true_random=False))
def test_a_log_with_errors_that_are_put_right_means_what_one_without_them_means(
    submissions: list[Submission], order: str, chance: random.Random
) -> None:
    clean = Folded(told_clean(submissions, order=order).entries(0))
    mended = Folded(told_with_errors(submissions, chance, order=order).entries(0))
    assert mended.digest.meaning == clean.digest.meaning


@pytest.mark.parametrize("error", ERRORS)
def test_each_error_is_noticed_until_it_is_put_right(error: str) -> None:
    each = Submission(0, 3, 0, 1, None)
    clean = Folded(told_clean([each]).entries(0)).digest.meaning
    assert Folded(told_with_one_error(each, error, mended=True).entries(0)).digest.meaning == clean
    assert Folded(told_with_one_error(each, error, mended=False).entries(0)).digest.meaning != clean


@settings(max_examples=100, deadline=None)
@given(HAPPENINGS, st.integers(0, 60))
def test_what_was_known_at_a_position_is_what_a_fold_up_to_it_gives(happenings: Happenings, position: int) -> None:
    history = a_history(happenings)
    entries = history.story.entries(0)
    whole, then = Folded(entries), Folded([entry for entry in entries if entry.position <= position])
    law = law_at(whole.reference.at(position))
    for who, student in whole.students.items():
        known = as_known(student, position, law)
        before = then.students.get(who)
        if known is None:
            assert before is None or before.position < 0 or not (before.pieces or before.chapters)
        elif before is not None:
            assert (known.into, known.enrolment) == (before.into, before.enrolment)
            assert evidence(known) == evidence(before)
            assert known.standings == {key: standing._replace(previous=None) for key, standing in before.standings.items()}

"""Any order of publication means the same, and appending gives the bits that folding all pieces gives."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import EvidenceSubmitted
from services.mastery.standings import NOTHING, stand
from services.mastery.worlds import rules_at
from tests.unit.mastery.events import PartitionLog, a_policy, a_scale, a_student, a_tick, an_evidence_submitted, at
from tests.unit.mastery.folding import Folded
from tests.unit.mastery.test_domain import OCTOBER

METHODS = [
    a_policy("latest"),
    a_policy("highest"),
    a_policy("average"),
    a_policy("weighted", weight=30),
    a_policy("decaying", weight=65),
    a_policy("n_mastery", results=2, mastery=2500),
]


@st.composite
def evidence(draw: st.DrawFn) -> tuple[str, EvidenceSubmitted, float, int | None]:
    """A student, her piece, when (seconds; few different ones, so that ties are common), the publisher's number."""
    score = draw(st.integers(0, 5000))
    data = an_evidence_submitted(
        score / 1000,
        competency=draw(st.sampled_from(["MA.1", "MA.2"])),
        kind=draw(st.sampled_from(["assessment", "judgement", "practice"])),
        scale=draw(st.sampled_from(["d4", "quiz", "percent"])),
    )
    number = draw(st.one_of(st.none(), st.integers(0, 2)))
    return a_student(draw(st.integers(0, 1))), data, float(draw(st.integers(0, 6))), number


PIECES = st.lists(evidence(), max_size=14)
Pieces = Sequence[tuple[str, EvidenceSubmitted, float, int | None]]


def a_log_of(
    pieces: Sequence[tuple[int, tuple[str, EvidenceSubmitted, float, int | None]]], method: int, order: str
) -> PartitionLog:
    log = PartitionLog()
    log.add(a_tick(OCTOBER))
    log.add(a_scale())
    log.add(a_scale("quiz", (0.5, 1, 2, 3), converts_to="d4"))
    log.add(METHODS[method].model_copy(update={"order": order}))
    for name, (student, data, seconds, number) in pieces:
        extensions = {} if number is None else {"sourcesequence": number}
        log.add(data, student, time=at(seconds=seconds), id=f"piece-{name}", source=f"app{name % 2}", **extensions)
    return log


@settings(max_examples=150)
@given(PIECES, st.sampled_from(range(len(METHODS))), st.randoms(use_true_random=False))
def test_any_order_of_publication_means_the_same_under_occurred(pieces: Pieces, method: int, chance: random.Random) -> None:
    clean = list(enumerate(pieces))
    shuffled = chance.sample(clean, len(clean))
    assert (
        Folded(a_log_of(shuffled, method, "occurred").entries).digest.meaning
        == Folded(a_log_of(clean, method, "occurred").entries).digest.meaning
    )


@settings(max_examples=150)
@given(PIECES, st.sampled_from(range(len(METHODS))), st.sampled_from(["occurred", "recorded"]))
def test_a_standing_that_was_appended_to_is_bit_for_bit_the_one_from_all_pieces(pieces: Pieces, method: int, order: str) -> None:
    folded = Folded(a_log_of(list(enumerate(pieces)), method, order).entries)
    rules = rules_at(folded.reference.at(10**9))
    for student in folded.students.values():
        for key, kept in student.standings.items():
            theirs = [piece for piece in student.pieces if (piece.framework, piece.competency) == key]
            anew = stand(theirs, rules(*key, None), NOTHING)
            assert anew._replace(previous=kept.previous) == kept
            assert anew.tally.x.hex() == kept.tally.x.hex()


@settings(max_examples=60)
@given(PIECES, st.sampled_from(range(len(METHODS))))
def test_a_policy_adopted_after_the_evidence_stands_everybody_where_one_adopted_before_does(pieces: Pieces, method: int) -> None:
    before = a_log_of(list(enumerate(pieces)), method, "occurred")
    after = PartitionLog()
    late = before.entries[3].event.data
    for entry in [*before.entries[:3], *before.entries[4:]]:
        event = entry.event
        numbers = {} if event.sourcesequence is None else {"sourcesequence": event.sourcesequence}
        after.add(event.data, event.subject, time=event.time, id=event.id, source=event.source, **numbers)
    after.add(late)
    assert Folded(after.entries).digest.meaning == Folded(before.entries).digest.meaning


@settings(max_examples=60)
@given(PIECES, st.sampled_from(range(len(METHODS))))
def test_folding_what_was_told_gives_where_everybody_stands(pieces: Pieces, method: int) -> None:
    folded = Folded(a_log_of(list(enumerate(pieces)), method, "occurred").entries)
    last = {(who, move.framework, move.competency): move for who in folded.students for move in folded.moves(who)}
    for who, student in folded.students.items():
        for key, standing in student.standings.items():
            move = last[who, *key]
            assert (move.level, move.value_thousandths, move.reason) == (standing.level, standing.value, standing.reason)
            assert move.policy_version == standing.version


def test_the_control_taking_a_late_piece_for_the_newest_is_noticed() -> None:
    """What the properties above would miss if `recorded` passed for `occurred`."""
    pieces = [(a_student(0), an_evidence_submitted(score), seconds, None) for score, seconds in ((2.0, 5.0), (4.0, 1.0))]
    clean = list(enumerate(pieces))
    one, other = (Folded(a_log_of(order, 0, "recorded").entries) for order in (clean, clean[::-1]))
    assert one.digest.meaning != other.digest.meaning

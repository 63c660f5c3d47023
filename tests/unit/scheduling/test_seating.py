"""What a plan promises, on random schools, and against every seating there is on small ones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduling.needs import Need
from services.scheduling.seating import (
    CLASS_MEETS,
    NO_CAPACITY,
    NO_NEED,
    NO_SECTION,
    Candidate,
    Plan,
    Problem,
    Wish,
    digest,
    problem_of,
    solve,
    wishes_of,
)
from services.scheduling.solver import assign
from services.scheduling.week import Block, Section
from tests.unit.scheduling.builders import FRAMEWORK, MONDAY, TUESDAY, a_need, a_student

BLOCKS = [Block(MONDAY, "10:00", "FLEX"), Block(TUESDAY, "10:00", "FLEX"), Block(TUESDAY, "11:00", "FLEX-2")]
CODES = "ABCD"

needs = st.dictionaries(st.sampled_from(CODES), st.sampled_from([1, 2, 5, 10, 17])).map(
    lambda found: tuple(sorted((a_need(weight, code) for code, weight in found.items()), key=lambda need: (-need.weight, need.key)))
)
sections = st.lists(st.tuples(st.none() | st.integers(0, 3), st.frozensets(st.sampled_from(CODES), max_size=3)), max_size=4).map(
    lambda found: tuple(Section(f"S{n}", capacity, tuple(sorted(offer))) for n, (capacity, offer) in enumerate(found))
)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    blocks = {block: draw(sections) for block in draw(st.lists(st.sampled_from(BLOCKS), unique=True, max_size=3))}
    candidates = [
        Candidate(a_student(number), draw(needs), draw(st.frozensets(st.sampled_from(BLOCKS), max_size=2)))
        for number in range(draw(st.integers(0, 7)))
    ]
    return problem_of("HS1", MONDAY, blocks, candidates)


def in_block(plan: Plan, block: Block) -> dict[str, str]:
    """The section of each student who has a seat in a block."""
    return {seat.student: seat.class_ for seat in plan.seats if (seat.date, seat.period) == (block.date, block.period)}


@given(problems())
def test_no_section_is_ever_above_its_capacity(problem: Problem) -> None:
    plan = solve(problem, assign)
    for block, offered in problem.blocks.items():
        filled = Counter(in_block(plan, block).values())
        assert all(section.capacity is None or filled[section.class_] <= section.capacity for section in offered)
        assert filled.keys() <= {section.class_ for section in offered}


@given(problems())
def test_every_student_has_one_seat_or_one_reason_in_every_block(problem: Problem) -> None:
    plan = solve(problem, assign)
    answered = Counter((seat.date, seat.period, seat.student) for seat in plan.seats)
    answered += Counter((none.date, none.period, none.student) for none in plan.unseated)
    expected = [(block.date, block.period, each.student) for block in problem.blocks for each in problem.candidates]
    assert answered == Counter(expected)


@given(problems())
def test_nobody_is_seated_while_a_class_of_hers_meets(problem: Problem) -> None:
    plan = solve(problem, assign)
    for block in problem.blocks:
        busy = {each.student for each in problem.candidates if block in each.busy}
        assert not busy & in_block(plan, block).keys()


@given(problems())
def test_a_seat_is_for_something_that_its_section_offers_and_the_student_needs(problem: Problem) -> None:
    offers = {(block.date, block.period, s.class_): s.competencies for block, found in problem.blocks.items() for s in found}
    wanted = {each.student: {need.key for need in each.needs} for each in problem.candidates}
    for seat in solve(problem, assign).seats:
        offered = offers[seat.date, seat.period, seat.class_]
        assert (seat.framework, seat.competency) in wanted[seat.student]
        assert not offered or seat.competency in offered


@given(problems(), st.randoms(use_true_random=False))
def test_the_same_facts_in_any_order_give_the_same_plan(problem: Problem, chance: random.Random) -> None:
    blocks, candidates = list(problem.blocks.items()), list(problem.candidates)
    chance.shuffle(blocks)
    chance.shuffle(candidates)
    shuffled = problem_of(problem.school, problem.monday, dict(blocks), candidates)
    assert digest(shuffled) == digest(problem)
    assert solve(shuffled, assign) == solve(problem, assign)


@given(problems())
def test_who_has_no_seat_is_told_why(problem: Problem) -> None:
    plan = solve(problem, assign)
    by_student = {each.student: each for each in problem.candidates}
    by_block = {(block.date, block.period): (block, found) for block, found in problem.blocks.items()}
    for unseated in plan.unseated:
        block, offered = by_block[unseated.date, unseated.period]
        who = by_student[unseated.student]
        useful = [s for s in offered if any(not s.competencies or need.competency in s.competencies for need in who.needs)]
        if block in who.busy:
            assert unseated.reason == CLASS_MEETS
        elif not who.needs:
            assert unseated.reason == NO_NEED
        elif not useful:
            assert unseated.reason == NO_SECTION
        else:
            filled = Counter(in_block(plan, block).values())
            assert unseated.reason == NO_CAPACITY
            assert all(filled[section.class_] == section.capacity for section in useful)


@given(problems())
def test_a_lesser_need_never_takes_a_seat_from_a_greater_one_that_is_left_without(problem: Problem) -> None:
    for block, offered in problem.blocks.items():
        wishes = wishes_of(block, offered, problem.candidates, Counter())
        seated = {wish.student: wish for wish in assign(wishes)}
        for wish in wishes:
            if wish.student not in seated:
                rivals = [other for other in seated.values() if other.section == wish.section]
                assert all(rival.weight >= wish.weight for rival in rivals)


@settings(max_examples=200)
@given(sections, st.lists(needs, max_size=5))
def test_a_block_seats_as_many_as_can_be_and_then_meets_the_greatest_need(
    offered: tuple[Section, ...], wanted: list[tuple[Need, ...]]
) -> None:
    candidates = [Candidate(a_student(n), each, frozenset()) for n, each in enumerate(wanted)]
    wishes = wishes_of(BLOCKS[0], offered, candidates, Counter())
    assert score(assign(wishes)) == max(score(seating) for seating in every_seating(wishes))


def every_seating(wishes: Sequence[Wish]) -> list[list[Wish]]:
    """Every way to grant each student one wish or none, within capacities: no solver, only counting."""
    of_student: dict[str, list[Wish | None]] = {}
    for wish in wishes:
        of_student.setdefault(wish.student, [None]).append(wish)
    seatings = [[wish for wish in choice if wish] for choice in product(*of_student.values())]
    return [seating for seating in seatings if fits(seating)]


def fits(seating: Sequence[Wish]) -> bool:
    filled = Counter(wish.section for wish in seating)
    return all(section.capacity is None or count <= section.capacity for section, count in filled.items())


def score(seating: Sequence[Wish]) -> tuple[int, int, int]:
    """More seats first, then more need, then the smaller sum of lots."""
    return len(seating), sum(wish.weight for wish in seating), -sum(wish.lot for wish in seating)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_seating_is_one_so_the_order_of_wishes_decides_nothing(seed: int) -> None:
    chance = random.Random(seed)
    offered = tuple(Section(f"S{n}", chance.randrange(1, 12), tuple(chance.sample(CODES, chance.randrange(4)))) for n in range(6))
    candidates = [Candidate(a_student(n), tuple(a_need(5, code) for code in CODES), frozenset()) for n in range(60)]
    wishes = list(wishes_of(BLOCKS[0], offered, candidates, Counter()))
    granted = set(assign(wishes))
    chance.shuffle(wishes)
    assert set(assign(wishes)) == granted


def test_equal_needs_are_decided_by_a_lot_of_the_block_so_nobody_is_favoured() -> None:
    one_seat = (Section("S", 1, ()),)
    candidates = [Candidate(a_student(n), (a_need(),), frozenset()) for n in range(8)]
    blocks = {Block(MONDAY, f"{hour:02d}:00", f"FLEX-{hour}"): one_seat for hour in range(24)}
    alone = [solve(problem_of("HS1", MONDAY, {block: s}, candidates), assign).seats[0].student for block, s in blocks.items()]
    assert len(set(alone)) > 4


def test_a_second_seat_for_the_same_competency_gives_way_to_another_need() -> None:
    candidate = Candidate(a_student(1), (a_need(10, "A"), a_need(6, "B")), frozenset())
    plan = solve(problem_of("HS1", MONDAY, {block: (Section("S", 1, ()),) for block in BLOCKS}, [candidate]), assign)
    assert [seat.competency for seat in plan.seats] == ["A", "B", "A"]


def test_the_digest_is_of_everything_that_the_plan_depends_on() -> None:
    section, candidate = Section("S", 1, ()), Candidate(a_student(1), (a_need(),), frozenset())
    digests = {
        digest(problem_of(school, monday, {block: (offer,)}, [who]))
        for school, monday, block, offer, who in [
            ("HS1", MONDAY, BLOCKS[0], section, candidate),
            ("HS2", MONDAY, BLOCKS[0], section, candidate),
            ("HS1", TUESDAY, BLOCKS[0], section, candidate),
            ("HS1", MONDAY, BLOCKS[1], section, candidate),
            ("HS1", MONDAY, BLOCKS[0], Section("S", 2, ()), candidate),
            ("HS1", MONDAY, BLOCKS[0], Section("S", None, ()), candidate),
            ("HS1", MONDAY, BLOCKS[0], Section("S", 1, ("A",)), candidate),
            ("HS1", MONDAY, BLOCKS[0], section, Candidate(a_student(2), (a_need(),), frozenset())),
            ("HS1", MONDAY, BLOCKS[0], section, Candidate(a_student(1), (a_need(9),), frozenset())),
            ("HS1", MONDAY, BLOCKS[0], section, Candidate(a_student(1), (a_need(),), frozenset(BLOCKS[:1]))),
        ]
    }
    assert len(digests) == 10


@pytest.mark.parametrize("weight", [2**40, 2**60])
def test_costs_that_leave_the_solvers_range_are_an_error_and_never_a_wrong_seat(weight: int) -> None:
    section = Section("S", 1, ())
    wishes = [Wish(a_student(n), section, a_need(), each, 0) for n, each in enumerate((1, weight))]
    with pytest.raises(ArithmeticError):
        assign(wishes)


def test_framework_is_part_of_what_a_seat_is_for() -> None:
    plan = solve(
        problem_of("HS1", MONDAY, {BLOCKS[0]: (Section("S", 1, ()),)}, [Candidate(a_student(1), (a_need(),), frozenset())]), assign
    )
    assert [(seat.framework, seat.competency, seat.reason) for seat in plan.seats] == [(FRAMEWORK, "A", "level-1-of-4")]

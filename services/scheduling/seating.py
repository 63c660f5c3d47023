"""The week as a problem, and its answer: who sits where in each block, why, and why not. Pure: the solver is passed in.

Blocks are filled in order of time. In a block as many students as can be are seated, and among those seatings the one that
meets the greatest need is taken; equal needs are decided by lot, drawn from a hash, so that nobody is favoured and
everybody can draw it again. A second seat in a week for the same competency is worth half the first, a third a third.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.scheduling.needs import Key, Need
from services.scheduling.week import Block, Section

# Raised when these rules change, so that the same facts make a new digest and a new plan.
RULES = 1
# Lots lie below this: 20 bits make equal sums of lots, and so two best seatings, rare (and the solver's order decides those).
LOTS = 1 << 20

CLASS_MEETS = "class-meets"
NO_NEED = "no-need"
NO_SECTION = "no-section"
NO_CAPACITY = "no-capacity"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A student of the school: her needs, strongest first, and the blocks in which a class of hers meets."""

    student: str
    needs: tuple[Need, ...]
    busy: frozenset[Block]


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a plan depends on. `problem_of` makes it canonical: the same facts in any order are equal problems."""

    school: str
    monday: dt.date
    blocks: Mapping[Block, tuple[Section, ...]]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A student's place in a section of a block, for one competency."""

    date: dt.date
    period: str
    student: str
    class_: str
    framework: str
    competency: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Unseated:
    """A block in which a student has no seat, and why."""

    date: dt.date
    period: str
    student: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to a problem."""

    seats: tuple[Seat, ...]
    unseated: tuple[Unseated, ...]


class Wish(NamedTuple):
    """A seat that a student could take in a block: what it is worth, and her lot for it among equals."""

    student: str
    section: Section
    need: Need
    weight: int
    lot: int


# Chooses among a block's wishes (canonical order): at most one a student, at most `capacity` a section.
Assign = Callable[[Sequence[Wish]], Sequence[Wish]]


def problem_of(
    school: str, monday: dt.date, blocks: Mapping[Block, tuple[Section, ...]], candidates: Iterable[Candidate]
) -> Problem:
    """The problem with everything in its canonical order."""
    return Problem(school, monday, dict(sorted(blocks.items())), tuple(sorted(candidates, key=lambda each: each.student)))


def digest(problem: Problem) -> str:
    """SHA-256 of the whole problem and of the rules' version, as hex. Equal digests mean equal plans."""
    canonical = [
        RULES,
        problem.school,
        problem.monday.isoformat(),
        [[_name(block), [_offer(section) for section in sections]] for block, sections in problem.blocks.items()],
        [
            [each.student, sorted(map(_name, each.busy)), [[need.weight, *need.key, need.reason] for need in each.needs]]
            for each in problem.candidates
        ],
    ]
    return hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).hexdigest()


def solve(problem: Problem, assign: Assign) -> Plan:
    """The week's plan: every candidate has a seat or a reason in every block."""
    given: Counter[tuple[str, Key]] = Counter()
    seats: list[Seat] = []
    unseated: list[Unseated] = []
    for block, sections in problem.blocks.items():
        wishes = wishes_of(block, sections, problem.candidates, given)
        chosen = {wish.student: wish for wish in assign(wishes)}
        wishing = {wish.student for wish in wishes}
        for candidate in problem.candidates:
            if wish := chosen.get(candidate.student):
                given[candidate.student, wish.need.key] += 1
                seats.append(_seat(block, wish))
            else:
                reason = _why_not(candidate, block, wishing)
                unseated.append(Unseated(block.date, block.period, candidate.student, reason))
    return Plan(tuple(seats), tuple(unseated))


def wishes_of(
    block: Block, sections: Sequence[Section], candidates: Iterable[Candidate], given: Counter[tuple[str, Key]]
) -> list[Wish]:
    """Every seat of a block that some student could take, in order of student, then section."""
    offers = {section.competencies: frozenset(section.competencies) for section in sections}
    wishes: list[Wish] = []
    for candidate in candidates:
        if block not in candidate.busy:
            best = {offer: _strongest(candidate, offered, given) for offer, offered in offers.items()}
            wishes += [
                Wish(candidate.student, section, *found, lot)
                for section, lot in zip(sections, _lots(block, candidate.student, len(sections)), strict=True)
                if (found := best[section.competencies]) is not None
            ]
    return wishes


def _strongest(candidate: Candidate, offered: frozenset[str], given: Counter[tuple[str, Key]]) -> tuple[Need, int] | None:
    """What the student needs most of what is offered (nothing named: all is), the first of equals, and its weight now."""
    found, heaviest = None, 0
    for need in candidate.needs:
        if need.weight <= heaviest:
            break  # needs come strongest first, and seats given only make them lighter
        if not offered or need.competency in offered:
            weight = max(1, need.weight // (1 + given[candidate.student, need.key]))
            if weight > heaviest:
                found, heaviest = need, weight
    return (found, heaviest) if found else None


def _lots(block: Block, student: str, sections: int) -> Iterator[int]:
    """A student's lots in a block, one a section: 24 bits each of one hash, of which the lower 20 are drawn."""
    drawn = hashlib.shake_256(f"{_name(block)} {student}".encode()).digest(3 * sections)
    return (int.from_bytes(drawn[at : at + 3], "big") % LOTS for at in range(0, 3 * sections, 3))


def _seat(block: Block, wish: Wish) -> Seat:
    return Seat(block.date, block.period, wish.student, wish.section.class_, *wish.need.key, wish.need.reason)


def _why_not(candidate: Candidate, block: Block, wishing: set[str]) -> str:
    if block in candidate.busy:
        return CLASS_MEETS
    if not candidate.needs:
        return NO_NEED
    return NO_CAPACITY if candidate.student in wishing else NO_SECTION


def _name(block: Block) -> str:
    return f"{block.date.isoformat()} {block.starts} {block.period}"


def _offer(section: Section) -> list[object]:
    return [section.class_, section.capacity, section.competencies]

"""What mastery answers, over HTTP and with `--json`: the shapes, and how they are made from what was found. Points are numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from pydantic import Field

from contracts.events import FrameworkPublished, SchoolRegistered
from services.chassis.projection.answers import Answer, AsKnown
from services.chassis.projection.parking import Parked
from services.chassis.projection.reference import World
from services.mastery.explain import Step
from services.mastery.queries import CompetencyFound, CountsFound, Snapshot, StudentFound
from services.mastery.rules import CARRIED, Rule
from services.mastery.standings import Key
from services.mastery.standings import Standing as Level
from services.mastery.store.reading import Count
from services.mastery.worlds import rules_at


class ProgrammeAnswer(Answer):
    """A programme of a student, from a date, until one if it has ended or will."""

    programme: str
    level: str | None
    since: dt.date
    until: dt.date | None


class LevelAnswer(Answer):
    """Where a student stands in a competency. `level` null: none, for a `reason`. `value` in points, rounded as the policy says.

    `carried`: the level comes from an old system, and no evidence of it counts here yet. `pieces` is how many pieces of evidence
    count. `policy_position`: the policy version's place in the log.
    """

    framework: str
    competency: str
    label: str
    axis: str | None
    level: int | None
    level_label: str | None
    value: float | None
    carried: bool
    previous_level: int | None
    reason: str | None = Field(examples=["no-evidence", "no-policy", "too-few", "not-yet-mastered", "below-scale", "carried"])
    pieces: int
    policy: str | None
    policy_version: int | None
    policy_position: int | None


class ParkedAnswer(Answer):
    """She stands just before this position: an event that could not be folded, and all after it, wait for a redrive."""

    position: int
    reason: str


class StudentAnswer(Answer):
    """A student and all her levels. `enrolled` false: she has left `school`, whose policies are still hers.

    `merged_into`: this pseudonym is the same person as that one, who has all of this one's evidence and levels.
    """

    student: str
    school: str | None
    school_label: str | None
    enrolled: bool
    merged_into: str | None
    grade: str | None
    cohort: str | None
    classes: tuple[str, ...]
    programmes: tuple[ProgrammeAnswer, ...]
    levels: tuple[LevelAnswer, ...]
    parked: ParkedAnswer | None
    as_known: AsKnown


class EvidenceAnswer(Answer):
    """A piece of evidence, and what it did. `score` in points on its own `scale`, `worth` on the policy's.

    A piece that was carried over has a `level` of its scale and no score. `position` of a copy, which a merge made: its own.

    `counted` false: it did not count, for a `reason`. `value`: what the policy gives after it, in points, not rounded.
    """

    position: int
    source: str
    id: str
    time: dt.datetime
    sourcesequence: int | None
    score: float | None
    level: int | None
    scale: str
    kind: str
    assessor: str | None
    context: str | None
    attempt: int | None
    counted: bool
    reason: str | None = Field(
        examples=["practice", "below-scale", "no-conversion", "no-policy", "retracted", "superseded", "assessor-revoked", "carried"]
    )
    worth: float | None
    arithmetic: str | None
    value: float | None


class PolicyAnswer(Answer):
    """The policy version in force, with its parameters and its scale's levels."""

    policy: str
    version: int
    position: int
    method: str
    weight: int | None
    results: int | None
    mastery: float | None
    order: str = Field(examples=["occurred", "recorded"])
    decimals: int
    scale: str
    levels: tuple[RungAnswer, ...]


class RungAnswer(Answer):
    """A level of a scale and the points from which it is reached."""

    level: int
    label: str
    at: float


class CompetencyAnswer(Answer):
    """What a level rests on: the policy, every piece in the policy's order with its arithmetic, and how the level was read."""

    student: str
    standing: LevelAnswer
    policy: PolicyAnswer | None
    evidence: tuple[EvidenceAnswer, ...]
    reading: str
    parked: ParkedAnswer | None
    as_known: AsKnown


class LevelCount(Answer):
    """Students at a level; null: they have evidence, but no level."""

    level: int | None
    students: int


class CompetencyCounts(Answer):
    """A competency's counts within a school."""

    framework: str
    competency: str
    label: str
    levels: tuple[LevelCount, ...]


class SchoolAnswer(Answer):
    """A school's counts of the students enrolled now, by competency and level."""

    school: str
    label: str
    students: int
    competencies: tuple[CompetencyCounts, ...]
    as_known: AsKnown


class SchoolCounts(Answer):
    """A school's counts within a competency."""

    school: str
    label: str
    levels: tuple[LevelCount, ...]


class AcrossSchoolsAnswer(Answer):
    """A competency's counts of the students enrolled now, by school and level."""

    framework: str
    competency: str
    label: str
    schools: tuple[SchoolCounts, ...]
    as_known: AsKnown


# How they are made.


def student(found: StudentFound) -> StudentAnswer:
    state, world = found.student, found.snapshot.world
    enrolment = state.enrolment
    return StudentAnswer(
        student=found.subject,
        school=state.school,
        school_label=_school_label(world, state.school) if state.school else None,
        enrolled=bool(enrolment and enrolment.enrolled),
        merged_into=state.into,
        grade=enrolment.grade if enrolment else None,
        cohort=enrolment.cohort if enrolment else None,
        classes=enrolment.classes if enrolment else (),
        programmes=tuple(
            ProgrammeAnswer(programme=each.programme, level=each.level, since=each.since, until=each.until)
            for each in state.programmes.values()
        ),
        levels=tuple(_level(world, key, state.standings[key], _rule(found, key)) for key in sorted(state.standings)),
        parked=_parked(found.parked),
        as_known=_of_student(found),
    )


def competency(asked: CompetencyFound) -> CompetencyAnswer:
    found = asked.found
    return CompetencyAnswer(
        student=found.subject,
        standing=_level(found.snapshot.world, asked.key, asked.level, asked.rule),
        policy=_policy(asked.rule) if asked.rule else None,
        evidence=tuple(_evidence(step) for step in asked.explanation.steps),
        reading=asked.explanation.reading,
        parked=_parked(found.parked),
        as_known=_of_student(found),
    )


def school(code: str, found: CountsFound) -> SchoolAnswer:
    world = found.snapshot.world
    by_key: dict[Key, list[Count]] = {}
    for count in found.counts:
        by_key.setdefault((count.framework, count.competency), []).append(count)
    return SchoolAnswer(
        school=code,
        label=_school_label(world, code),
        students=found.students or 0,
        competencies=tuple(
            CompetencyCounts(framework=key[0], competency=key[1], label=_named(world, key)[0], levels=_levels(counts))
            for key, counts in by_key.items()
        ),
        as_known=_of_all(found.snapshot),
    )


def across_schools(key: Key, found: CountsFound) -> AcrossSchoolsAnswer:
    world = found.snapshot.world
    by_school: dict[str, list[Count]] = {}
    for count in found.counts:
        by_school.setdefault(count.school, []).append(count)
    return AcrossSchoolsAnswer(
        framework=key[0],
        competency=key[1],
        label=_named(world, key)[0],
        schools=tuple(
            SchoolCounts(school=code, label=_school_label(world, code), levels=_levels(counts))
            for code, counts in by_school.items()
        ),
        as_known=_of_all(found.snapshot),
    )


def _level(world: World, key: Key, level: Level, rule: Rule | None) -> LevelAnswer:
    label, axis = _named(world, key)
    names = dict(zip(rule.levels.numbers, rule.levels.labels, strict=True)) if rule else {}
    return LevelAnswer(
        framework=key[0],
        competency=key[1],
        label=label,
        axis=axis,
        level=level.level,
        level_label=names.get(level.level) if level.level is not None else None,
        value=_points(level.value),
        carried=level.reason == CARRIED,
        previous_level=level.previous,
        reason=level.reason,
        pieces=level.tally.n,
        policy=level.policy,
        policy_version=level.version,
        policy_position=level.rule,
    )


def _evidence(step: Step) -> EvidenceAnswer:
    piece = step.piece
    return EvidenceAnswer(
        position=piece.position,
        source=piece.source,
        id=piece.id,
        time=piece.time,
        sourcesequence=piece.sequence,
        score=None if piece.kind == CARRIED else piece.score / 1000,
        level=piece.score if piece.kind == CARRIED else None,
        scale=piece.scale,
        kind=piece.kind,
        assessor=piece.assessor,
        context=piece.context,
        attempt=piece.attempt,
        counted=step.worth is not None,
        reason=step.reason,
        worth=_points(step.worth),
        arithmetic=step.arithmetic,
        value=_points(step.value),
    )


def _policy(rule: Rule) -> PolicyAnswer:
    levels = zip(rule.levels.numbers, rule.levels.labels, rule.levels.thresholds, strict=True)
    return PolicyAnswer(
        policy=rule.policy,
        version=rule.version,
        position=rule.position,
        method=rule.method.name,
        weight=getattr(rule.formula, "weight", None),
        results=getattr(rule.formula, "results", None),
        mastery=_points(getattr(rule.formula, "mastery", None)),
        order="occurred" if rule.in_order else "recorded",
        decimals={1: 3, 10: 2, 100: 1, 1000: 0}[rule.unit],
        scale=rule.scale,
        levels=tuple(RungAnswer(level=number, label=label, at=cut / 1000) for number, label, cut in levels),
    )


def _rule(found: StudentFound, key: Key) -> Rule | None:
    return rules_at(found.snapshot.world)(*key, found.student.school)


def _parked(parked: Parked | None) -> ParkedAnswer | None:
    return ParkedAnswer(position=parked.position, reason=parked.reason) if parked else None


def _of_student(found: StudentFound) -> AsKnown:
    """Her own partition's position, or the one asked for: what is known of one student needs no other partition."""
    cursor, generation = found.cursor, found.snapshot.standing.generation
    if found.known_at is not None:
        return AsKnown(position=found.known_at, time=None, generation=generation)
    return AsKnown(position=cursor.positions[0], time=cursor.common_tick, generation=generation)


def _of_all(snapshot: Snapshot) -> AsKnown:
    standing = snapshot.standing
    return AsKnown(position=standing.position, time=standing.time, generation=standing.generation)


def _levels(counts: Iterable[Count]) -> tuple[LevelCount, ...]:
    return tuple(LevelCount(level=count.level, students=count.students) for count in counts)


def _named(world: World, key: Key) -> tuple[str, str | None]:
    """A competency's label and axis, or its code where its framework was not published."""
    version = world.get("framework", key[0])
    if version and isinstance(version.data, FrameworkPublished):
        for each in version.data.competencies:
            if each.competency == key[1]:
                return each.label, each.axis
    return key[1], None


def _school_label(world: World, school: str) -> str:
    version = world.get("school", school)
    return version.data.label if version and isinstance(version.data, SchoolRegistered) else school


def _points(thousandths: float | None) -> float | None:
    return None if thousandths is None else thousandths / 1000

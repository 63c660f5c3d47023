"""The smallest view that has everything the engine handles: it adds up a student's scores, times the factor in force.

A policy's `version` is the factor; one with a date moves everybody at that midnight. Competency `BAD` cannot be folded until
`mended` is set. It is a view for tests of the engine: the real ones have their own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts.events import EvidenceSubmitted, MasteryChanged, PolicyPublished, StudentEnrolled
from contracts.events.frameworks import Method
from contracts.events.mastery import Move
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, Topic
from services.chassis.errors import Poison
from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Change, Entry, Scope, Step


@dataclass(frozen=True, slots=True)
class Tally:
    """A student's points, the factor they were last multiplied by, and her school."""

    points: int = 0
    factor: int = 1
    school: str = ""

    @property
    def total(self) -> int:
        return self.points * self.factor


@dataclass
class TallyView:
    """Satisfies `View[Tally]`."""

    mended: bool = False
    fold_version: int = 1
    name: str = "tally"
    inputs: tuple[Topic, ...] = (EVIDENCE_LOG,)
    output: Topic | None = MASTERY_CHANGES
    tables: str = """
        CREATE TABLE tallies (
            partition smallint NOT NULL, student text PRIMARY KEY,
            points bigint NOT NULL, factor bigint NOT NULL, school text NOT NULL
        )
    """
    loads: list[int] = field(default_factory=list)

    async def load(
        self, connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]], *, whole: bool
    ) -> dict[str, Tally]:
        self.loads.append(len(asked))
        rows = await connection.fetch(
            "SELECT student, points, factor, school FROM tallies WHERE student = ANY($1::text[])", list(asked)
        )
        found = {row["student"]: Tally(row["points"], row["factor"], row["school"]) for row in rows}
        return {student: found.get(student, Tally()) for student in asked}

    def evolve(self, state: Tally, entry: Entry, world: World) -> Step[Tally]:
        match entry.event.data:
            case EvidenceSubmitted(competency="BAD") if not self.mended:
                raise Poison("bad-competency")
            case EvidenceSubmitted(score_thousandths=score):
                after = replace(state, points=state.points + score, factor=factor_in(world))
            case StudentEnrolled(school=school):
                after = replace(state, school=school)
            case _:
                return Step(state)
        return Step(after, self._changes(state, after, entry))

    def refold(self, state: Tally, entry: Entry, world: World) -> Step[Tally]:
        after = replace(state, factor=factor_in(world))
        return Step(after, self._changes(state, after, entry)) if after != state else Step(state)

    async def save(self, connection: Connection, partition: int, changes: Sequence[Change[Tally]]) -> Digest:
        await connection.executemany(
            """
            INSERT INTO tallies (partition, student, points, factor, school) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (student) DO UPDATE SET points = excluded.points, factor = excluded.factor, school = excluded.school
            """,
            [(partition, c.subject, c.after.points, c.after.factor, c.after.school) for c in changes],
        )
        return sum((digest_of(c.subject, c.after) - digest_of(c.subject, c.before) for c in changes), Digest())

    def version_of(self, entry: Entry) -> tuple[str, str] | None:
        if isinstance(entry.event.data, PolicyPublished):
            if entry.event.data.scale == "unknown":
                raise Poison("unknown-scale")
            return "policy", entry.event.data.framework
        return None

    def effective_on(self, entry: Entry) -> dt.date | None:
        return entry.event.data.effective if isinstance(entry.event.data, StudentEnrolled) else None

    def moved_by(self, version: Version, before: World, after: World) -> Scope | None:
        assert isinstance(version.data, PolicyPublished)
        return {"framework": version.id} if version.data.effective is None else None

    def moved_at(self, before: World, after: World) -> Sequence[Scope]:
        return [{"framework": "hs"}] if factor_in(before) != factor_in(after) else []

    async def affected(self, connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> Sequence[str]:
        rows = await connection.fetch(
            "SELECT student FROM tallies WHERE partition = $1 AND student > $2 ORDER BY student LIMIT $3", partition, after, limit
        )
        return [row["student"] for row in rows]

    async def apply_reference(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        """Nothing: no SQL reads a policy here."""

    async def scan(self, connection: Connection, partition: int) -> Digest:
        rows = await connection.fetch("SELECT * FROM tallies WHERE partition = $1", partition)
        return sum((digest_of(r["student"], Tally(r["points"], r["factor"], r["school"])) for r in rows), Digest())

    @staticmethod
    def _changes(before: Tally, after: Tally, entry: Entry) -> tuple[MasteryChanged, ...]:
        if before.total == after.total:
            return ()
        move = Move(
            framework="hs",
            competency="MA.1",
            level=None,
            value_thousandths=after.total,
            previous_level=None,
            pieces=0,
            policy=None,
            policy_version=None,
        )
        return (MasteryChanged(cause=str(entry.position), school=None, moves=(move,)),)


def factor_in(world: World) -> int:
    """The factor in force: that of the last policy whose date, if it has one, has come."""
    in_force = [
        (version.data.effective or dt.date.min, version.position, version.data.version)
        for version in world.history("policy")
        if isinstance(version.data, PolicyPublished) and (version.data.effective or dt.date.min) <= world.date
    ]
    return max(in_force)[2] if in_force else 1


def digest_of(student: str, tally: Tally) -> Digest:
    if tally == Tally():
        return Digest()
    value = term(student, tally.points, tally.factor, tally.school)
    return Digest(value, value)


def a_policy(factor: int, *, effective: dt.date | None = None, scale: str = "d4") -> PolicyPublished:
    """A policy whose version is the factor."""
    return PolicyPublished(
        policy="p",
        version=factor,
        framework="hs",
        method=Method(name="latest"),
        order="occurred",
        scale=scale,
        effective=effective,
    )

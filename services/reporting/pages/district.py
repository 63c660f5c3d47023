"""The district page: its schools by level, in one framework at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.reporting.domain import ALL
from services.reporting.figures import District, FrameworkChoice, SchoolRow, distribution, paginate
from services.reporting.ladders import Ladder, merged
from services.reporting.pages.desk import Snapshot
from services.reporting.store import counts, published

SCHOOLS_A_PAGE = 40


async def read(snapshot: Snapshot, *, framework: str | None, search: str, page: int) -> District:
    """The district's totals and a page of its schools. `framework` None: the one most used; "": every school, without levels."""
    used = await counts.frameworks(snapshot.connection)
    chosen = framework if framework is not None else next(iter(used), ALL)
    found = await published.schools(
        snapshot.connection,
        search=search,
        framework="" if search else chosen,
        offset=(page - 1) * SCHOOLS_A_PAGE,
        limit=SCHOOLS_A_PAGE,
    )
    heads = await counts.heads(snapshot.connection, ALL)
    return District(
        as_known=snapshot.as_known,
        students=sum(it.students for it in heads),
        pieces=sum(it.pieces for it in heads),
        schools=await published.count_schools(snapshot.connection),
        frameworks=await _choices(snapshot, used, chosen),
        search=search,
        pagination=paginate(found.total, page, SCHOOLS_A_PAGE),
        rows=await _rows(snapshot, chosen, found.schools),
    )


async def _choices(snapshot: Snapshot, used: Sequence[str], chosen: str) -> tuple[FrameworkChoice, ...]:
    frameworks = {code: await snapshot.framework(code) for code in used}
    return tuple(FrameworkChoice(code, it.label if it else code, code == chosen) for code, it in frameworks.items())


async def _rows(snapshot: Snapshot, framework: str, schools: Sequence[published.School]) -> tuple[SchoolRow, ...]:
    codes = [school.school for school in schools]
    held = _by_school(await counts.levels_of_schools(snapshot.connection, framework, codes))
    ladder = await ladder_of(snapshot, framework, None, {level for levels in held.values() for level in levels})
    last = await counts.last_evidence(snapshot.connection, codes)
    heads = await counts.heads_of_schools(snapshot.connection, codes)
    return tuple(
        SchoolRow(
            school=school.school,
            label=school.label,
            kind=school.kind,
            students=heads[school.school].students if school.school in heads else 0,
            pieces=heads[school.school].pieces if school.school in heads else 0,
            last_evidence=last.get(school.school),
            levels=distribution(ladder, held.get(school.school, {})),
        )
        for school in schools
    )


async def ladder_of(snapshot: Snapshot, framework: str, school: str | None, held: set[int]) -> Ladder:
    """One ladder for all competencies of a framework at a school, with every level that is held."""
    it = await snapshot.framework(framework)
    policies = await snapshot.policies()
    ladders = {policies.ladder(framework, member.competency, school, snapshot.today) for member in (it.competencies if it else ())}
    return merged(ladders, held)


def _by_school(rows: Sequence[counts.LevelCount]) -> Mapping[str, Mapping[int, int]]:
    held: dict[str, dict[int, int]] = {}
    for row in rows:
        held.setdefault(row.school, {})[row.level] = row.students
    return held

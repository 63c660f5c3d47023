"""Project STAR's 48,875 scores folded by the engine on Postgres: every pupil's level and value is the oracle's."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from contracts.events import EvidenceSubmitted, PolicyPublished, ScalePublished
from services.chassis import postgres
from services.mastery.handlers import MasteryView
from tests.integration.mastery.district import District
from tests.oracle import star as oracle
from tests.stack import Stack
from tests.story import Story, a_student

pytestmark = pytest.mark.stack


def a_star_log(rows: list[dict[str, str]], curriculum: dict[str, object]) -> Story:
    """The scales, the policy, and every score there is, in the file's order: grade 3 may well come before grade K."""
    story = Story(2)
    story.tick()
    for kind, name in ((ScalePublished, "scales"), (PolicyPublished, "policies")):
        for document in curriculum[name]:  # type: ignore[attr-defined]
            story.tell(kind.model_validate_json(json.dumps(document)))
    for row in rows:
        time = dt.datetime(1986 + oracle.GRADES.index(row["gr"]), 4, 15, 15, tzinfo=dt.UTC)
        for competency, column in oracle.COLUMNS.items():
            if row[column] != "NA":
                data = EvidenceSubmitted(
                    framework="star",
                    competency=competency,
                    score_thousandths=int(row[column]) * 1000,
                    scale=f"star-{column}-{row['gr']}",
                )
                story.tell(data, student=a_student(int(row["id"])), time=time)
    story.tick()
    return story


async def test_every_pupils_level_and_value_is_the_oracles(stack: Stack) -> None:
    rows, curriculum = oracle.read_rows(), oracle.read_curriculum()
    expected = oracle.answer(rows, curriculum)
    async with await postgres.create_pool(stack.fresh_database("mastery"), application="test", size=4) as pool:
        district = District(pool, MasteryView())
        applier = await district.folded(a_star_log(rows, curriculum))
        async with pool.acquire() as connection:
            found = await connection.fetch(
                f"""
                SELECT s.student, c.competency, u.level, u.points, u.counted
                FROM mastery_g{applier.generation}.students AS s
                CROSS JOIN LATERAL unnest(s.keys, s.levels, s.points, s.counted) AS u (key, level, points, counted)
                JOIN mastery_g{applier.generation}.competencies AS c ON c.partition = s.partition AND c.key = u.key
                """
            )
    levels = {(row["student"], row["competency"]): (row["level"], row["points"], row["counted"]) for row in found}
    assert levels == {
        (a_student(int(pupil)), competency): (standing.level, int(standing.value * 1000), standing.pieces)
        for pupil, standings in expected.pupils.items()
        for competency, standing in standings.items()
    }
    assert sum(counted for _, _, counted in levels.values()) == expected.present == 48_875

"""The pages as they run: `cairn reporting serve` over a folded town, beside the real mastery and a stand-in of evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from services.chassis import postgres
from services.chassis.projection.apply import Applier
from services.chassis.projection.serving import create_generation
from services.mastery.handlers import view as mastery
from tests.integration.reporting.evidence_stand_in import Evidence, serving
from tests.integration.reporting.house import a_house
from tests.integration.reporting.town import PARTITIONS, Town
from tests.stack import Stack


@dataclass
class Served:
    """Where the pages are, what they show, and the evidence they ask."""

    url: str
    town: Town
    evidence: Evidence


@asynccontextmanager
async def pages_of(stack: Stack, town: Town) -> AsyncIterator[Served]:
    """The pages of a town, served until the end of the block."""
    evidence = Evidence(town.topics)
    async with a_house(stack) as house:
        await house.fold(town)
        folded = await _mastery_of(stack, town)
        with ExitStack() as running:
            local = {"CAIRN_MODE": "local", "CAIRN_LOG_LEVEL": "WARNING"}
            mastery_ = running.enter_context(
                stack.cairn("mastery", "serve", environment=local | {"CAIRN_MASTERY_DATABASE": folded})
            )
            told = {
                "CAIRN_REPORTING_DATABASE": house.dsn,
                "CAIRN_EVIDENCE_URL": running.enter_context(serving(evidence.app())),
                "CAIRN_MASTERY_URL": mastery_.url,
                "CAIRN_SCHEDULING_URL": "http://127.0.0.1:9",  # nobody is there: the page must do without
            }
            pages = running.enter_context(stack.cairn("reporting", "serve", environment=local | told))
            yield Served(pages.url, town, evidence)


async def _mastery_of(stack: Stack, town: Town) -> str:
    """A mastery database that has folded the town's log."""
    dsn = stack.fresh_database("mastery")
    async with await postgres.create_pool(dsn, application="test", size=4) as pool:
        number = await create_generation(pool, mastery, PARTITIONS, actor="test", reason="test")
        applier = Applier(pool, mastery, number)
        for partition in range(PARTITIONS):
            await applier.claim(partition)
            await applier.apply(partition, town.topics.entries(partition))
    return dsn

"""A relay in a process of its own, to be killed: `python -m tests.integration.log.relaying DSN BOOTSTRAP TOPIC PARTITIONS`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from contracts.topics import EVIDENCE_LOG
from services.chassis.postgres import create_pool
from services.evidence.relay import relay


async def main(dsn: str, bootstrap: str, topic: str, partitions: str) -> None:
    pool = await create_pool(dsn, application="test relay", size=2)
    await relay(pool, int(partitions), bootstrap, replace(EVIDENCE_LOG, name=topic)).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The supervisor over real Kafka and Postgres and two small processes in place of the services: `python -m … HOME`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from contracts.topics import TOPICS
from deploy.local import supervisor
from deploy.local.provision import create_database, create_topics, database_name, with_database
from deploy.local.state import Plan
from deploy.local.topology import Service

ANSWERING = (sys.executable, "-m", "tests.integration.stack.answering")
CRASHING = (*ANSWERING, "--crash") if os.environ.get("SMALL_STACK_CRASHES") else ANSWERING

# Port 0: any. Several stacks are up side by side while the tests run.
SERVICES = (
    Service("evidence", "serve", 0, stage=1, command=ANSWERING),
    Service("mastery", "work", 0, stage=2, command=CRASHING),
)


def provision(kafka: str, postgres: str, plan: Plan) -> Mapping[str, str]:
    """Databases without tables, and the real topics."""
    for service in ("evidence", "mastery"):
        create_database(postgres, database_name(service))
    create_topics(kafka, TOPICS, plan.partitions)
    return {service: with_database(postgres, database_name(service)) for service in ("evidence", "mastery")}


if __name__ == "__main__":
    supervisor.main(Path(sys.argv[1]), SERVICES, provision)

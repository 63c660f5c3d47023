"""Evidence as the pages see it: its answers, in its own shapes, of a vault and a log that a test has in its hands."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, HTTPException

from contracts.codec import timestamp
from services.evidence import answers
from services.evidence.api import Pseudonyms
from tests.integration.reporting.town import PARTITIONS, TEACHER, Topics

GIVEN = ("Amina", "Noah", "Sofía", "Mateo", "Grace", "Liam", "Aaliyah", "Ravi", "Mei", "Yusuf", "Elena")
FAMILY = ("Okafor", "Bennett", "Ramírez", "Chen", "Walker", "Haddad", "Novák", "Singh", "Morales", "Kim", "Osei", "Rossi", "Ali")


def name_of(pseudonym: str) -> tuple[str, str]:
    """Somebody's made-up given and family name."""
    if pseudonym == TEACHER:
        return "Ifeoma", "Adeyemi"
    number = int(pseudonym[2:])
    return GIVEN[number % len(GIVEN)], FAMILY[number * 5 % len(FAMILY)]


@dataclass
class Evidence:
    """What the stand-in says. `away`: it answers 503 to everything; `asked` counts the names it was asked for."""

    topics: Topics
    away: bool = False
    asked: int = 0
    publishers: list[answers.Counts] = field(
        default_factory=lambda: [
            answers.Counts(publisher="algebra-app", received=1200, accepted=1180, duplicate=12, rejected=5, held=3),
            answers.Counts(publisher="writing-lab", received=81, accepted=80, duplicate=0, rejected=0, held=0),
        ]
    )

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/v1/log")(self.log)
        app.get("/v1/publishers")(self.counters)
        app.post("/v1/vault/names")(self.names)
        return app

    def log(self) -> answers.Log:
        self._present()
        return answers.Log(
            log="evidence.log",
            partitions=PARTITIONS,
            timezone="America/New_York",
            position=str(self.topics.position - 1),
            recordedtime=timestamp(self.topics.now),
            tick="0",
            next=tuple(len(self.topics.entries(partition)) + partition for partition in range(PARTITIONS)),
        )

    def counters(self) -> answers.Publishers:
        self._present()
        return answers.Publishers(publishers=self.publishers)

    def names(self, asked: Pseudonyms) -> answers.People:
        self._present()
        self.asked += len(asked.pseudonyms)
        people = [(pseudonym, *name_of(pseudonym)) for pseudonym in asked.pseudonyms]
        return answers.People(people=[answers.Person(pseudonym=p, given=given, family=family) for p, given, family in people])

    def _present(self) -> None:
        if self.away:
            raise HTTPException(503)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address at which an application is served from a thread."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

"""A client for publishers: hand it events, and each is counted once, whatever dies in between.

Owns: a spool on disk, batches, and when to try again. Must not: import anything but the standard library and httpx, so that it
can be taken out of this repository; or log, since what it carries is student data.

    with Client("http://127.0.0.1:7401", key, spool="evidence.spool") as cairn:
        cairn.submit(evidence(source="algebra", student=("sis", "104-2291"), framework="hs", competency="MA.1",
                              score=3.5, scale="d4", time=datetime.now(UTC)))   # safe on disk when this returns
        sent = cairn.flush()                                                    # in the log, or told why not
        for refused in cairn.refused():
            print(refused.code, refused.pointer, refused.expected, refused.docs)

`AsyncClient` is the same with `await`. See `example.py`.
"""

from contracts.client.aio import AsyncClient
from contracts.client.delivery import NotAdmitted, Sent, Unreachable
from contracts.client.events import Event, evidence, new_id
from contracts.client.retry import Backoff
from contracts.client.spool import Refused, Spool, SpoolInUse
from contracts.client.sync import Client

__all__ = [
    "AsyncClient",
    "Backoff",
    "Client",
    "Event",
    "NotAdmitted",
    "Refused",
    "Sent",
    "Spool",
    "SpoolInUse",
    "Unreachable",
    "evidence",
    "new_id",
]

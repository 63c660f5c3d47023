"""What district IT does by command: correct anybody's evidence, revoke an assessor, merge and unmerge students.

Owns: how a command names people, and that a command which is given again changes nothing. Must not: print.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import orjson

from contracts.codec import decode, prepare
from contracts.envelope import Data
from contracts.events import AssessorReinstated, AssessorRevoked, EvidenceRetracted
from contracts.events.corrections import CorrectionReason, RevocationReason
from contracts.ids import derived_id
from services.chassis.errors import Conflict, Rejected, Transient
from services.chassis.postgres import passing
from services.evidence.admit import Key, hashed, keyed
from services.evidence.corrections import UNKNOWN_TARGET, Found, Named, objection, standing_retraction
from services.evidence.domain import Batch, Draft, Receipt
from services.evidence.grants import DISTRICT
from services.evidence.merging import Done
from services.evidence.opening import Opened
from services.evidence.roster.statements import as_json, digest
from services.evidence.stated import Statement
from services.evidence.store import records, roster
from services.evidence.submit import UNKNOWN_STAFF, UNKNOWN_STUDENT
from services.evidence.vault import STAFF, Kind

MOST_TRIES = 3
ASSESSOR = "assessor"
# Decisions are deduplicated under one day, so that one that is given again tomorrow is the same.
DAY = date(1970, 1, 1)


async def person(has: Opened, told: str, kind: Kind) -> str:
    """The pseudonym of somebody named by it, or by an identifier as SCHEME:VALUE: always her own, merged or not."""
    scheme, _, value = told.partition(":")
    found = await has.vault.own(Key(scheme, value), told)
    if found is None or not found.startswith(kind):
        unknown, who = (UNKNOWN_STAFF, "a member of staff") if kind == STAFF else (UNKNOWN_STUDENT, "a student")
        raise Rejected(unknown, f"{who} that a roster has brought: a pseudonym, or SCHEME:VALUE such as sis:104")
    return found


async def retract(has: Opened, named: Named, actor: str, reason: CorrectionReason) -> Done:
    """Retract an event or a record, whoever sent it. Raises `Rejected` for what is not there, or is no evidence."""
    for _ in range(MOST_TRIES):
        merges = (await has.ledger.head()).merges
        with passing():
            found = (await records.find(has.pool, [named])).get(named)
        if found is None:
            raise Rejected(UNKNOWN_TARGET, "an event of evidence that is in the log, by its source and id or sourcekey")
        if (rejected := objection(EvidenceRetracted.TYPE, found, found.person)) is not None:
            raise rejected
        try:
            return await _retract(has, named, found, actor, reason, merges)
        except Conflict:
            continue
    raise Transient("identifiers are being merged")


async def _retract(has: Opened, named: Named, found: Found, actor: str, reason: CorrectionReason, merges: int) -> Done:
    with passing():
        told = [decode(record) for record in await records.of_record(has.pool, found.record)]
    whole = named.sourcekey is not None
    if (standing := standing_retraction(told, found.position, whole=whole)) is not None:
        return Done(standing, duplicate=True)
    data = EvidenceRetracted(target=str(found.position), scope="record" if whole else "event", reason=reason)
    # How many events the record has makes the id: given again it is the same, after a change of heart it is another.
    id = derived_id(DISTRICT.name, data.TYPE, found.position, data.scope, len(told))
    draft = _draft(has, data, id, actor, found=found, merges=merges)
    return await _append(has, draft)


async def revoke(has: Opened, assessor: str, since: datetime | None, actor: str, reason: RevocationReason) -> Done:
    """Have an assessor's evidence count no more, from `since` on."""
    return await _state(has, AssessorRevoked(assessor=assessor, since=since, reason=reason), assessor, actor)


async def reinstate(has: Opened, assessor: str, actor: str, reason: RevocationReason) -> Done:
    """Have an assessor's evidence count again."""
    return await _state(has, AssessorReinstated(assessor=assessor, reason=reason), assessor, actor)


async def _state(has: Opened, data: Data, assessor: str, actor: str) -> Done:
    """State something about an assessor unless it was stated last; kept beside what rosters state."""
    with passing():
        before = (await roster.stated(has.pool, ASSESSOR)).get(assessor)
    told, version = digest(data), before.version if before else 0
    id = derived_id(DISTRICT.name, ASSESSOR, assessor, version + 1, told.hex())
    if before and before.digest == told:
        id = derived_id(DISTRICT.name, ASSESSOR, assessor, version, told.hex())
    done = await _append(has, _draft(has, data, id, actor))
    if not (before and before.digest == told):
        with passing():
            await roster.state(has.pool, [Statement(ASSESSOR, assessor, (), version + 1, told, as_json(data))])
    return done


def _draft(has: Opened, data: Data, id: str, actor: str, *, found: Found | None = None, merges: int = 0) -> Draft:
    """A decision as an event. Its time is when it is taken, which is no part of what makes a second one the same."""
    subject = found.person if found else None
    sharers = found.sharers(found.person) if found else ()
    now = datetime.now(UTC)
    meaning = {"id": id, "subject": subject, "data": data.model_dump(mode="json")}
    sameness = hashed(keyed(has.key), orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS))
    prepared = prepare(
        data,
        id=id,
        source=DISTRICT.name,
        time=now,
        subject=subject,
        submissionhash=sameness.hex(),
        actor=actor,
        sharedwith=" ".join(sharers) or None,
    )
    return Draft(
        publisher=DISTRICT.name,
        source=DISTRICT.name,
        id=id,
        day=DAY,
        subject=subject,
        type=data.TYPE,
        submissionhash=sameness,
        prepared=prepared,
        merges=merges,
        sharedwith=sharers,
        link=found.link if found else None,
    )


async def _append(has: Opened, draft: Draft) -> Done:
    [outcome] = await has.ledger.append(Batch(drafts=(draft,)))
    if not isinstance(outcome, Receipt):
        # Two people decided the same at once, for different reasons: the first decision stands.
        raise Rejected("decided-already", "the decision that somebody else has just taken, or one of another kind", status=409)
    return Done(outcome.position, duplicate=outcome.duplicate)

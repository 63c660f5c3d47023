"""The identity vault: its role sees nothing else, its key is one for ever, and a merge voids what was remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.chassis.errors import Unavailable
from services.evidence.admit import Key
from services.evidence.vault import STUDENT, Vault, open_vault_pool, submission_key
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.stack import Stack

pytestmark = pytest.mark.stack

ADA = Key("sis", "104")


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def test_the_vaults_connections_see_the_vault_and_nothing_else(gateway: Gateway) -> None:
    assert await gateway.vault.pool.fetchval("SELECT count(*) FROM vault.identifiers") == 3
    for table in ("ledger", "held", "rejections", "publishers", "roster_students"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await gateway.vault.pool.fetch(f"SELECT * FROM public.{table}")


async def test_two_that_register_somebody_at_once_get_the_same_pseudonym(gateway: Gateway) -> None:
    keys = [Key("sis", f"new-{n}") for n in range(50)]
    one, other = await asyncio.gather(gateway.vault.register(STUDENT, keys), gateway.vault.register(STUDENT, keys[::-1]))
    assert one == other
    assert len(set(one.values())) == 50


async def test_a_merge_voids_what_a_gateway_remembers_and_the_event_goes_to_the_survivor(gateway: Gateway) -> None:
    students = await gateway.students("104", "105")
    await gateway.send(an_event("e-1"))
    async with gateway.app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE public.head SET merges = merges + 1")
        await connection.execute("UPDATE vault.identifiers SET pseudonym = $1 WHERE value = '104'", students["105"])
    single = await gateway.send(an_event("e-2"))
    batch = await gateway.send([an_event("e-3"), an_event("e-1")])
    assert (single.status_code, batch.status_code) == (201, 200)
    assert [(await gateway.record(id))["subject"] for id in ("e-1", "e-2", "e-3")] == [
        students["104"],
        students["105"],
        students["105"],
    ]
    assert batch.json()["results"][1]["outcome"] == "duplicate"
    assert await gateway.counts() == (4, 3, 1, 0, 0)


async def test_what_is_remembered_is_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.evidence.vault.MOST_REMEMBERED", 20)
    vault = Vault(gateway.vault.pool, _no_merges)
    keys = [Key("sis", f"new-{n}") for n in range(60)]
    names = await vault.register(STUDENT, keys)
    for key in keys:
        assert (await vault.resolve([key])).pseudonyms == {key: names[key]}
    assert len(vault._known) <= 20


async def _no_merges() -> int:
    return 0


async def test_the_key_is_made_once_locally_and_must_stay_the_same(stack: Stack) -> None:
    dsn = stack.fresh_database("evidence")
    async with await open_vault_pool(dsn, application="test") as pool:
        made = await submission_key(pool, None, local=True)
        assert await submission_key(pool, None, local=True) == made
        assert await submission_key(pool, made, local=False) == made
        with pytest.raises(Unavailable, match="not the key"):
            await submission_key(pool, b"x" * 32, local=False)


async def test_outside_local_mode_there_is_no_key_but_the_one_that_is_set(stack: Stack) -> None:
    dsn = stack.fresh_database("evidence")
    async with await open_vault_pool(dsn, application="test") as pool:
        with pytest.raises(Unavailable, match="CAIRN_VAULT_KEY is not set"):
            await submission_key(pool, None, local=False)
        await submission_key(pool, b"k" * 32, local=False)
        assert await pool.fetchval("SELECT key FROM vault.keys") is None
        with pytest.raises(Unavailable, match="opened with one"):
            await submission_key(pool, None, local=True)

"""Postgres: pools with sane limits, and which failures pass by themselves.

Owns: how every process connects. Must not: hold SQL of a service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import asyncpg

from services.chassis.errors import Transient, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

T = TypeVar("T")

# For annotations (the driver's classes take type parameters in its stubs only).
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
# What answers a single query: a connection, in its transaction or none, or a pool.
Queryable: TypeAlias = "Connection | Pool"

# A session's settings. Times in milliseconds.
SETTINGS: Mapping[str, str] = {
    # Compiling a plan costs 50-500 ms; our statements run for 1-10.
    "jit": "off",
    # Tables grow from nothing to millions while a statement stays prepared: a cached generic plan would go on scanning what
    # was empty when it was made, and would lock every partition of a partitioned table. Planning costs 0.1 ms.
    "plan_cache_mode": "force_custom_plan",
    # "Accepted" means durable, whatever a database's own default is.
    "synchronous_commit": "on",
    "timezone": "UTC",
    # A statement that takes longer is stuck: the transaction is rolled back and tried again.
    "statement_timeout": "30000",
    # Waiting for a row lock (head, cursor, next_out) for longer means that its holder is lost.
    "lock_timeout": "10000",
    # A process that is paused inside a transaction (SIGSTOP, a debugger) must not hold the head for ever.
    "idle_in_transaction_session_timeout": "20000",
}

# Failures of the moment: the same work may well succeed when tried again. Everything else is a bug or an answer.
PASSING: tuple[type[Exception], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # the driver's, when the connection dies in the middle of a message
    OSError,
    TimeoutError,
)


async def create_pool(dsn: str, *, application: str, size: int = 8, settings: Mapping[str, str] | None = None) -> Pool:
    """A pool of up to `size` connections, named `application` in `pg_stat_activity`. `settings` add to `SETTINGS`.

    Raises `Unavailable` where the DSN is wrong or refused, `Transient` where Postgres does not answer.
    """
    with passing(), _refused():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            # An idle connection is kept: making one costs 5 ms and the ledger's statements would be prepared anew.
            max_inactive_connection_lifetime=0,
            reset=_leave_as_it_is,
            timeout=10,
            command_timeout=60,
            server_settings={**SETTINGS, **(settings or {}), "application_name": application},
        )
    assert pool is not None
    return pool


async def _leave_as_it_is(_: object) -> None:
    """What we set, lock or declare ends with its transaction, so there is nothing to undo: the usual round trip is saved.

    An open transaction is rolled back all the same, by the pool itself.
    """


# A DSN that is no DSN, or that Postgres will never let in.
REFUSED: tuple[type[Exception], ...] = (
    ValueError,  # the driver's, of a port that is no number
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except REFUSED as error:
        raise Unavailable(f"Postgres lets nobody in ({type(error).__name__}); see this service's CAIRN_…_DATABASE") from None


@contextmanager
def passing() -> Iterator[None]:
    """Turn a failure of the moment into `Transient`. Its message names the kind only: a driver's own may quote values."""
    try:
        yield
    except PASSING as error:
        raise Transient(f"Postgres: {type(error).__name__}") from error
    except asyncpg.InterfaceError as error:
        if not is_lost(error):
            raise
        raise Transient("Postgres: the connection was lost") from error


def is_lost(error: asyncpg.InterfaceError) -> bool:
    """Whether the driver complains of a connection that has gone. Otherwise it was misused, which is a bug."""
    return "connection is closed" in str(error)


async def retry(work: Callable[[], Awaitable[T]], *, attempts: int = 4, pause: float = 0.05) -> T:
    """The result of `work`, a whole transaction that may be repeated. `Transient` when it failed `attempts` times.

    `pause` seconds lie after the first failure, twice as many after each next one.
    """
    for attempt in range(attempts - 1):
        try:
            with passing():
                return await work()
        except Transient:
            await asyncio.sleep(pause * 2**attempt)
    with passing():
        return await work()


# The current transaction's id, for `once`. Asking for it gives a transaction one that has none yet.
XID = "pg_current_xact_id()::text"


async def once(pool: Pool, work: Callable[[Connection], Awaitable[tuple[str, T]]]) -> T:
    """The result of `work`, a transaction that is repeated like any other in `retry`, but never takes effect twice.

    An answer to COMMIT can be lost on the way, and the transaction stand all the same. Postgres knows which (`pg_xact_status`),
    so `work` gives its `XID` with its result, and whoever lost the answer asks before trying again.
    """
    last: list[tuple[str, T]] = []

    async def attempt() -> T:
        async with pool.acquire() as connection:
            if last and await _took_effect(connection, last[0][0]):
                return last[0][1]
            last.clear()
            async with connection.transaction():
                last.append(await work(connection))
        return last[0][1]

    return await retry(attempt)


async def _took_effect(connection: Connection, xid: str) -> bool:
    """Whether a transaction whose end was not heard of was committed. `Transient` while its server process is still at it."""
    status: str | None = await connection.fetchval("SELECT pg_xact_status($1::text::xid8)", xid)
    if status == "in progress":
        raise Transient("Postgres: a transaction whose connection was lost has not ended yet")
    return status == "committed"

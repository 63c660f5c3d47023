"""How far mastery's view has come."""

from __future__ import annotations

from services.chassis.postgres import Pool
from services.chassis.projection.serving import reading
from tests.until import until


async def until_caught_up(pool: Pool, position: int, seconds: float = 120) -> None:
    """Return once the serving generation has applied this position in every partition that has it, and a tick after it."""

    async def there() -> bool:
        async with reading(pool, "mastery") as (_, standing):
            return standing.position >= position

    await until(there, seconds)

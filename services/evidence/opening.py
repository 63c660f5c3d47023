"""What every process of the service stands on, over its two pools."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.chassis.postgres import Pool
from services.evidence.corrections import Found, Named
from services.evidence.ledger import Ledger
from services.evidence.store import records, roster
from services.evidence.submit import Door
from services.evidence.vault import Vault


class Opened:
    """Pool, ledger, vault and door. `vault_pool` has the vault's role, `key` is the vault's key of submission hashes."""

    def __init__(self, pool: Pool, vault_pool: Pool, key: bytes) -> None:
        self.pool = pool
        self.key = key
        self.ledger = Ledger(pool)
        self.vault = Vault(vault_pool, self._merges)
        self.door = Door(self.ledger, self.vault, self._schools_of, self._find, key)

    async def _merges(self) -> int:
        return (await self.ledger.head()).merges

    async def _schools_of(self, pseudonyms: Collection[str]) -> Mapping[str, frozenset[str]]:
        return await roster.schools_of(self.pool, pseudonyms)

    async def _find(self, names: Collection[Named]) -> Mapping[Named, Found]:
        return await records.find(self.pool, names)

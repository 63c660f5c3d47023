"""Pseudonyms and keys are random and well-formed; grants name what may be sent; bodies unpack within their bounds."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator

import pytest
from pydantic import TypeAdapter

from contracts.ids import Pseudonym
from services.chassis.errors import Rejected, Unavailable
from services.evidence.body import MAX_REQUEST_BYTES, read_body
from services.evidence.grants import Publisher, is_name, types_named
from services.evidence.publishers import keyhash, new_key
from services.evidence.settings import Settings
from services.evidence.vault import STAFF, STUDENT, pseudonym


def test_pseudonyms_are_well_formed_and_never_the_same() -> None:
    for kind in (STUDENT, STAFF):
        made = {pseudonym(kind) for _ in range(2000)}
        assert len(made) == 2000
        assert all(TypeAdapter(Pseudonym).validate_python(each).startswith(kind) for each in made)


def test_a_key_is_256_random_bits_and_only_its_hash_is_kept() -> None:
    key = new_key()
    assert re.fullmatch(r"cairn_[A-Za-z0-9_-]{43}", key)
    assert key != new_key()
    assert len(keyhash(key)) == 32


@pytest.mark.parametrize("name", ["cairn", "roster", "mastery", "Algebra", "a b", "", "-a", "a" * 64, "a/b"])
def test_names_that_no_publisher_may_bear(name: str) -> None:
    assert not is_name(name)


def test_types_are_named_in_short_or_in_full() -> None:
    assert types_named("evidence.submitted, cairn.scale.published.v1") == {
        "cairn.evidence.submitted.v1",
        "cairn.scale.published.v1",
    }
    for wrong in ("", "mastery.changed", "log.ticked", "evidence.submitted.v1"):
        with pytest.raises(ValueError, match=r"evidence\.submitted"):
            types_named(wrong)


def test_a_publisher_owns_its_name_and_what_is_below_it() -> None:
    owned = {
        source: Publisher("algebra").owns(source) for source in ("algebra", "algebra/quiz/7", "algebra-2", "algebr", "/algebra")
    }
    assert owned == {"algebra": True, "algebra/quiz/7": True, "algebra-2": False, "algebr": False, "/algebra": False}


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 65536])
async def test_a_packed_body_is_the_same_in_any_chunks(size: int) -> None:
    body = b'{"a": 1}' * 50
    assert await read_body(in_chunks(gzip.compress(body), size), "gzip") == body
    assert await read_body(in_chunks(body, size), "") == body


@pytest.mark.parametrize("over", [0, 1])
async def test_the_bound_is_on_what_is_unpacked(over: int) -> None:
    body = b"x" * (MAX_REQUEST_BYTES + over)
    for packed, encoding in ((body, ""), (gzip.compress(body), "gzip")):
        if over:
            with pytest.raises(Rejected, match="request-too-large"):
                await read_body(in_chunks(packed, 4096), encoding)
        else:
            assert await read_body(in_chunks(packed, 4096), encoding) == body


def test_secrets_have_no_default_and_no_error_shows_them() -> None:
    with pytest.raises(Unavailable, match="CAIRN_EVIDENCE_DATABASE"):
        Settings(mode="production", CAIRN_EVIDENCE_DATABASE="").dsn()
    assert Settings(mode="production").submission_key() is None
    for wrong in ("00ff", "Zquxly"):
        with pytest.raises(Unavailable, match="CAIRN_VAULT_KEY") as refused:
            Settings(vault_key=wrong)
        assert wrong not in str(refused.value)

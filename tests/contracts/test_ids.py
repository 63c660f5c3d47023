"""Derived ids are UUIDv5s, the same for the same cause."""

from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_id

# Every log holds ids under it, so it never changes.
NAMESPACE = UUID("7c1f5d0e-6d0b-5f0a-9a63-0d3f6ee0a1c5")


@given(st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), st.none()), max_size=6))
def test_a_derived_id_is_the_version_5_uuid_of_its_parts(parts: list[object]) -> None:
    assert derived_id(*parts) == str(uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts)))

"""Whether a number has come to somebody else: told by name and date of birth together."""

from __future__ import annotations

import pytest

from services.evidence.identity import Described, is_somebody_else

SHE = Described("Ana María", "O’Brien-Núñez", "2010-05-05")


@pytest.mark.parametrize(
    ("told", "somebody_else"),
    [
        (SHE, False),
        (Described("ANA MARIA", "OBRIEN NUNEZ", "2010-05-05"), False),
        (Described("Alex", "Reed", "2010-05-05"), False),  # a name may change
        (Described("Ana María", "O’Brien-Núñez", "2010-05-06"), False),  # a date of birth may be mended
        (Described("Ana María", "Reed", "2011-05-05"), True),
        (Described("Luis", "O’Brien-Núñez", "2012-01-01"), True),  # a brother
        (Described("Ana María", "Reed", None), False),
        (Described("Luis", "Reed", None), True),
    ],
)
def test_name_and_date_of_birth_decide_together(told: Described, somebody_else: bool) -> None:
    assert is_somebody_else(SHE, told) is somebody_else
    assert is_somebody_else(told, SHE) is somebody_else

"""A setting that is wrong stops a process with one line, which names the variable and never what it held."""

from __future__ import annotations

import pytest

from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings
from services.mastery.settings import MasterySettings


@pytest.mark.parametrize(("name", "expected"), [("CAIRN_PORT", "an integer"), ("CAIRN_MODE", "'local' or 'production'")])
def test_a_wrong_setting_is_named_and_its_value_is_not(name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    for settings in (ServiceSettings, MasterySettings):
        with pytest.raises(Unavailable) as refused:
            settings()
        assert str(refused.value) == f"{name}: expected {expected}"

"""A setting that is wrong stops a process with one line, which names the variable and never what it held."""

from __future__ import annotations

import pytest

from services.chassis.errors import Unavailable
from services.chassis.postgres import create_pool
from services.chassis.settings import ServiceSettings
from services.mastery.settings import MasterySettings


@pytest.mark.parametrize(("name", "expected"), [("CAIRN_PORT", "an integer"), ("CAIRN_MODE", "'local' or 'production'")])
def test_a_wrong_setting_is_named_and_its_value_is_not(name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    for settings in (ServiceSettings, MasterySettings):
        with pytest.raises(Unavailable) as refused:
            settings()
        assert str(refused.value) == f"{name}: expected {expected}"


@pytest.mark.parametrize("dsn", ["foo://bar", "postgresql://h:notaport/s3cret"])
async def test_an_address_that_is_none_is_refused_in_one_line_that_does_not_show_it(dsn: str) -> None:
    with pytest.raises(Unavailable, match="CAIRN_…_DATABASE") as refused:
        await create_pool(dsn, application="test")
    assert "s3cret" not in str(refused.value)
    assert "bar" not in str(refused.value)

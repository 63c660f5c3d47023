"""What a new publisher is given to try."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from decimal import Decimal

from contracts.submissions import validate
from services.evidence.grants import Publisher
from services.evidence.welcome import curl

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def test_the_command_sends_a_valid_submission_of_the_publishers_own_to_be_validated() -> None:
    command = shlex.split(curl(Publisher("algebra"), "cairn_key", "http://gateway", "try-1", NOON))
    assert command[:3] == ["curl", "-sS", "http://gateway/v1/evidence?validate_only=true"]
    assert "Authorization: Bearer cairn_key" in command
    sent = validate(json.loads(command[-1], parse_float=Decimal))
    assert (sent.source, sent.time) == ("algebra", NOON)


def test_a_sandbox_really_sends_it() -> None:
    command = shlex.split(curl(Publisher("my-app", sandbox=True), "cairn_key", "http://gateway", "try-1", NOON))
    assert command[2] == "http://gateway/v1/evidence"


def test_a_publisher_of_other_events_asks_for_its_scorecard() -> None:
    command = curl(Publisher("office", frozenset({"cairn.policy.published.v1"})), "cairn_key", "", "try-1", NOON)
    assert command.startswith('curl -sS "$CAIRN_EVIDENCE_URL/v1/publishers/me/scorecard" ')

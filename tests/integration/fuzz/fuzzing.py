"""Every operation of a service's OpenAPI document, asked with what its schema allows and with what it does not.

The document decides what is sent (`schemathesis`); here is only how much, and what counts as a failure: an answer of 500 or
more, or none. `known` names things that exist, so that many questions get past "there is no such school".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

PATIENCE = 30.0

Operation = APIOperation[Any, Any, Any, Any]
Asked = Case[Any]


@dataclass
class Fuzz:
    """What was asked: how often each operation, and each answer that must not be."""

    asked: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def ask(self, operation: str, case: Asked, url: str, headers: Mapping[str, str], session: requests.Session) -> None:
        self.asked[operation] += 1
        try:
            answer = case.call(base_url=url, session=session, headers=dict(headers), timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException as error:
            self.failures.append(f"{operation}: {type(error).__name__} for {case.as_curl_command()}")
            return
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            self.failures.append(f"{operation}: {answer.status_code} for {case.as_curl_command()}")


async def fuzz(
    url: str, *, each: int, headers: Mapping[str, str] | None = None, known: Mapping[str, Any] | None = None, seed: int = 0
) -> Fuzz:
    """Ask every operation `each` times in each way. In a thread of its own, so that a service may run in this loop."""
    return await asyncio.to_thread(_fuzz, url, each, headers or {}, known or {}, seed)


def _fuzz(url: str, each: int, headers: Mapping[str, str], known: Mapping[str, Any], seed: int) -> Fuzz:
    document = requests.get(f"{url}/openapi.json", timeout=PATIENCE).json()
    found = Fuzz()
    with requests.Session() as session:
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(result, Ok), "the document is a good one"
            operation = result.ok()
            for strategy in _ways(operation, known):
                _ask_all(strategy, found, operation, url, headers, session, each, seed)
    return found


def _ways(operation: Operation, known: Mapping[str, Any]) -> Iterator[Any]:
    """As the schema allows; as it does not; as it allows, about things that exist, together and one by one."""
    yield operation.as_strategy(GenerationMode.POSITIVE)
    yield operation.as_strategy(GenerationMode.NEGATIVE)
    there = {each.name: known[each.name] for each in operation.path_parameters if each.name in known}
    alone = [{name: value} for name, value in there.items()] if len(there) > 1 else []
    for pinned in ([there] if there else []) + alone:
        yield operation.as_strategy(GenerationMode.POSITIVE, path_parameters=pinned)


def _ask_all(
    strategy: Any,
    found: Fuzz,
    operation: Operation,
    url: str,
    headers: Mapping[str, str],
    session: requests.Session,
    each: int,
    seed: int,
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=each, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=strategy)
    def ask(case: Asked) -> None:
        found.ask(operation.label, case, url, headers, session)

    try:
        ask()
    except Unsatisfiable:
        return  # there is nothing that its schema does not allow

"""The rules hold, and each is seen to fail on a module that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.architecture import rules
from tests.architecture.sources import Modules, project, snippets

Rule = Callable[[Modules], list[str]]

RULES: tuple[Rule, ...] = (
    rules.contracts_need_pydantic_only,
    rules.domains_are_pure,
    rules.services_import_downward,
    rules.settings_are_read_by_app_and_cli,
    rules.sql_is_in_stores,
    rules.the_chassis_knows_the_logs_own_events_only,
    rules.nothing_imports_deployment,
    rules.nothing_imports_tests,
    rules.the_oracle_imports_nothing_of_ours,
    rules.names_say_what_is_inside,
    rules.imports_are_absolute,
)

BREAKING: tuple[tuple[Rule, Modules], ...] = (
    (rules.contracts_need_pydantic_only, snippets(contracts__codec="import orjson")),
    (rules.contracts_need_pydantic_only, snippets(contracts__codec="def f():\n    from services.chassis import errors")),
    (rules.contracts_need_pydantic_only, snippets(contracts__client__spool="from pydantic import BaseModel")),
    (rules.contracts_need_pydantic_only, snippets(contracts__client__spool="from contracts.ids import EventId")),
    (rules.contracts_need_pydantic_only, snippets(contracts__codec="import httpx")),
    (rules.domains_are_pure, snippets(services__mastery__domain="import logging")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from time import monotonic")),
    (rules.domains_are_pure, snippets(services__mastery__domain="import random")),
    (rules.domains_are_pure, snippets(services__mastery__domain="import asyncpg")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from services.chassis.kafka import broker")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from datetime import datetime\nx = datetime.now()")),
    (rules.domains_are_pure, snippets(services__mastery__needs="'''Who needs what. Pure.'''\nimport numpy")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from uuid import uuid4\nx = uuid4()")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from services.mastery.store import levels")),
    (
        rules.domains_are_pure,
        snippets(
            services__mastery__domain="from services.mastery.policies import value", services__mastery__policies="import aiokafka"
        ),
    ),
    (rules.services_import_downward, snippets(services__mastery__store="from services.mastery.handlers import on_evidence")),
    (rules.services_import_downward, snippets(services__mastery__api="from services.mastery.app import create_api")),
    (rules.services_import_downward, snippets(services__mastery__api="from services.mastery import handlers")),
    (rules.services_import_downward, snippets(services__mastery__cli="from services.mastery.app import create_api")),
    (rules.services_import_downward, snippets(services__evidence__submit="from services.evidence.api import routes")),
    (rules.services_import_downward, snippets(services__evidence__store__ledger="from services.evidence.ledger import Ledger")),
    (rules.services_import_downward, snippets(services__evidence__domain="from services.evidence.submit import submit")),
    (
        rules.services_import_downward,
        snippets(services__evidence__store="from services.evidence.rows import Row", services__evidence__rows="import asyncpg"),
    ),
    (rules.services_import_downward, snippets(services__evidence="from services.evidence.domain import Draft")),
    (rules.settings_are_read_by_app_and_cli, snippets(services__mastery__api="from services.mastery.settings import Settings")),
    (rules.settings_are_read_by_app_and_cli, snippets(services__mastery__store="import os\nx = os.environ['X']")),
    (rules.settings_are_read_by_app_and_cli, snippets(services__mastery__store="from os import getenv\nx = getenv('X')")),
    (rules.sql_is_in_stores, snippets(services__mastery__api="q = 'SELECT level FROM student WHERE id = $1'")),
    (rules.sql_is_in_stores, snippets(services__mastery__handlers="q = f'''\n  update {table} set x = 1'''\nr = 'delete from x'")),
    (
        rules.the_chassis_knows_the_logs_own_events_only,
        snippets(services__chassis__cursor="from contracts.events import PlanPublished"),
    ),
    (rules.nothing_imports_deployment, snippets(services__mastery__cli="def up():\n    import deploy.local")),
    (rules.nothing_imports_tests, snippets(services__mastery__cli="from tests.stack import kafka")),
    (rules.nothing_imports_tests, snippets(tests__unit__x="from tests.conftest import kafka")),
    (rules.the_oracle_imports_nothing_of_ours, snippets(tests__oracle__star="from services.mastery.domain import fold")),
    (rules.the_oracle_imports_nothing_of_ours, snippets(tests__oracle__star="import polars")),
    (rules.names_say_what_is_inside, snippets(services__mastery__utils="")),
    (rules.imports_are_absolute, snippets(services__mastery__api="from .domain import evolve")),
)

ALLOWED: tuple[tuple[Rule, Modules], ...] = (
    (
        rules.contracts_need_pydantic_only,
        snippets(contracts__codec="import json\nfrom pydantic import Field\nfrom contracts.ids import Code"),
    ),
    (rules.contracts_need_pydantic_only, snippets(contracts__client__aio="import httpx\nfrom contracts.client.spool import Spool")),
    (rules.domains_are_pure, snippets(services__mastery__domain="from services.chassis.errors import Rejected\nimport math")),
    (
        rules.services_import_downward,
        snippets(services__mastery__cli="def serve():\n    from services.mastery.app import create_api"),
    ),
    (
        rules.services_import_downward,
        snippets(services__evidence__store="from services.evidence.rows import Row", services__evidence__rows="import math"),
    ),
    (rules.services_import_downward, snippets(services__evidence__relay="from services.evidence.submit import submit")),
    (rules.sql_is_in_stores, snippets(services__mastery__api="'''select 1 from x'''\ny = 'Update a policy, then set a date'")),
    (rules.sql_is_in_stores, snippets(services__mastery__store__levels="q = 'SELECT level FROM student'")),
)


def name(rule: Rule) -> str:
    return rule.__name__.replace("_", " ")


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_rule_holds(rule: Rule) -> None:
    assert rule(project()) == []


@pytest.mark.parametrize(("rule", "modules"), BREAKING, ids=lambda value: name(value) if callable(value) else "")
def test_what_breaks_the_rule_is_found(rule: Rule, modules: Modules) -> None:
    assert rule(modules) != []


@pytest.mark.parametrize(("rule", "modules"), ALLOWED, ids=lambda value: name(value) if callable(value) else "")
def test_what_the_rule_allows_is_not_found(rule: Rule, modules: Modules) -> None:
    assert rule(modules) == []


def test_every_rule_has_a_control() -> None:
    assert {rule for rule, _ in BREAKING} == set(RULES)

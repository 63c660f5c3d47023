"""Each rule is a function from modules to the places that break it, in words. No place: the rule holds."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Set

from tests.architecture.sources import SERVICES, Import, Modules, docstrings, imports, within

# What a pure module may use of the standard library: nothing that knows the time, chance, files, the network or other threads.
PURE = {
    *("__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal"),
    *("enum", "fractions", "functools", "hashlib", "heapq", "hmac", "itertools", "json", "math", "numbers", "operator", "re"),
    *("statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata", "uuid", "zlib", "zoneinfo", "contracts"),
}
IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "uuid6", "uuid7", "print", "open", "input"}

CLIENT = "contracts.client"

VAGUE = {"utils", "util", "helpers", "helper", "base", "common", "misc", "models", "interfaces", "managers", "shared"}

# A statement of SQL, as a string begins. Prose that merely begins with one of these words does not go on like that.
SQL = re.compile(
    r"\s*(select\s.+?\sfrom\s|insert\s+into\s|update\s+[\w.]+\s+(as\s+\w+\s+)?set\s|delete\s+from\s|with\s+(recursive\s+)?\w+\s+as\s*\(|"
    r"(create|alter|drop|truncate)\s+(unlogged\s+)?(table|index|schema|role|view|function)\s|set\s+(local|search_path)\s|lock\s+table\s)",
    re.IGNORECASE | re.DOTALL,
)

# Downward only. The command is at the top because its groups start the app and operate the view that handlers bind. Pure modules
# (the domain and its companions) are at the bottom; what is neither pure nor named here (submit, relay, archive, …) is a process,
# between the doors and the store. That there are no cycles is a contract of import-linter.
RANKS = {"cli": 6, "app": 5, "api": 4, "handlers": 4, "store": 2, "domain": 1}
PROCESS, COMPANION = 3, 1
ALONE = {"api", "handlers"}


def contracts_need_pydantic_only(modules: Modules) -> list[str]:
    """And the publishers' client needs not even that: the standard library, one HTTP library, and itself."""
    allowed = sys.stdlib_module_names | {"pydantic", "contracts"}
    rest = {name: tree for name, tree in modules.items() if not within(name, CLIENT)}
    found = [str(each) for each in imports(rest, "contracts") if each.top not in allowed]
    return found + [
        str(each)
        for each in imports(modules, CLIENT)
        if each.top not in sys.stdlib_module_names | {"httpx"} and not within(each.imported, CLIENT)
    ]


def domains_are_pure(modules: Modules) -> list[str]:
    """`domain.py`, what it rests on, and what calls itself pure: contracts, kinds of errors, and pure parts of Python."""
    pure = pure_modules(modules)
    claimed = [name for name, tree in modules.items() if _claims_purity(name, tree)]
    return [reason for name in claimed if name not in pure for reason in _impurities(name, modules, pure)]


def _claims_purity(name: str, tree: ast.Module) -> bool:
    return _in_service(name) and (name.endswith(".domain") or "Pure." in (ast.get_docstring(tree) or ""))


def _in_service(name: str) -> bool:
    return name.startswith(tuple(f"services.{service}." for service in SERVICES))


def pure_modules(modules: Modules) -> set[str]:
    """The modules of services that are pure, and rest on pure ones only."""
    pure = {name for name in modules if _in_service(name) and RANKS.get(name.split(".")[2], 1) == 1}
    while impure := {name for name in pure if any(_impurities(name, modules, pure))}:
        pure -= impure
    return pure


def _impurities(name: str, modules: Modules, pure: Set[str]) -> Iterator[str]:
    """What makes a module impure, if the modules in `pure` are not."""
    for found in imports({name: modules[name]}):
        own = within(found.imported, ".".join(name.split(".")[:2])) and ({found.imported, found.imported.rpartition(".")[0]} & pure)
        if not own and found.top not in PURE and not within(found.imported, "services.chassis.errors"):
            yield str(found)
    for node in ast.walk(modules[name]):
        called = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if called in IMPURE_CALLS:
            yield f"{name}:{getattr(node, 'lineno', 0)} calls {called}"


def services_import_downward(modules: Modules) -> list[str]:
    """cli > app > api, handlers > processes > store > domain, companions. A command imports `app` when it runs, to start it."""
    pure = pure_modules(modules)
    return [str(found) for service in SERVICES for found in _upward(modules, f"services.{service}", pure)]


def _upward(modules: Modules, service: str, pure: Set[str]) -> Iterator[Import]:
    ranks = RANKS | _ranks(modules, service, pure)
    for found in imports(modules, service):
        importer, imported = (_part(name, service) for name in (found.importer, found.imported))
        if not within(found.imported, service) or importer == imported:
            continue
        above, below = ranks.get(importer, 0), ranks.get(imported, PROCESS)  # a package's own file is no place for imports
        starts = (importer, imported) == ("cli", "app") and not found.inside
        if above < below or starts or (above == below and {importer, imported} & ALONE):
            yield found


def _ranks(modules: Modules, service: str, pure: Set[str]) -> dict[str, int]:
    """The rank of each part of a service: a module, or a package as a whole."""
    parts: dict[str, list[str]] = {}
    for name in modules:
        if within(name, service) and name != service:
            parts.setdefault(_part(name, service), []).append(name)
    companions = {part for part, names in parts.items() if pure >= set(names)}
    return {part: RANKS.get(part, COMPANION if part in companions else PROCESS) for part in parts}


def _part(name: str, service: str) -> str:
    return name.removeprefix(f"{service}.").partition(".")[0] if within(name, service) and name != service else ""


def settings_are_read_by_app_and_cli(modules: Modules) -> list[str]:
    """Nothing else in a service imports its settings, or looks into the environment."""
    places = []
    for service in SERVICES:
        readers = tuple(f"services.{service}.{name}" for name in ("app", "cli", "settings"))
        rest = {
            name: tree for name, tree in modules.items() if within(name, f"services.{service}") and not name.startswith(readers)
        }
        places += [str(found) for found in imports(rest) if _is_configuration(found.imported, service)]
        places += [f"{name}:{node.lineno} reads the environment" for name, tree in rest.items() for node in _environment(tree)]
    return places


def _is_configuration(imported: str, service: str) -> bool:
    return any(
        within(imported, name) for name in (f"services.{service}.settings", "services.chassis.settings", "pydantic_settings")
    )


def _environment(tree: ast.Module) -> Iterator[ast.Attribute | ast.Name]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and getattr(node, "attr", getattr(node, "id", "")) in ("environ", "getenv"):
            yield node


def sql_is_in_stores(modules: Modules) -> list[str]:
    """Services write SQL in `store` (and in their migrations, which are no Python); the chassis may."""
    places = []
    for name, tree in modules.items():
        service, _, part = name.removeprefix("services.").partition(".")
        if service in SERVICES and part.partition(".")[0] != "store":
            places += [f"{name}:{node.lineno} holds SQL" for node in _strings(tree) if SQL.match(str(node.value))]
    return places


def _strings(tree: ast.Module) -> Iterator[ast.Constant]:
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node


def the_chassis_knows_the_logs_own_events_only(modules: Modules) -> list[str]:
    events = (found for found in imports(modules, "services.chassis") if within(found.imported, "contracts.events"))
    known = ("contracts.events.LogOpened", "contracts.events.LogTicked", "contracts.events.EVENTS", "contracts.events.log")
    return [str(found) for found in events if not any(within(found.imported, name) for name in known)]


def nothing_imports_deployment(modules: Modules) -> list[str]:
    return [
        str(found) for found in imports(modules) if found.top == "deploy" and not found.importer.startswith(("deploy", "tests"))
    ]


def nothing_imports_tests(modules: Modules) -> list[str]:
    """Neither the product its tests, nor a test a `conftest`."""
    found = list(imports(modules))
    product = [str(each) for each in found if each.top == "tests" and not within(each.importer, "tests")]
    return product + [str(each) for each in found if "conftest" in each.imported.split(".")]


def the_oracle_imports_nothing_of_ours(modules: Modules) -> list[str]:
    """The answers of the oracle count because nothing that they check had a part in them. Its tests may import both."""
    oracle = {
        name: tree for name, tree in modules.items() if within(name, "tests.oracle") and not name.split(".")[-1].startswith("test_")
    }
    return [str(found) for found in imports(oracle) if found.top not in sys.stdlib_module_names]


def names_say_what_is_inside(modules: Modules) -> list[str]:
    return [name for name in modules if VAGUE & set(name.split("."))]


def imports_are_absolute(modules: Modules) -> list[str]:
    """So that a search for a module's name finds all who use it (and these rules see what is meant)."""
    nodes = ((name, node) for name, tree in modules.items() for node in ast.walk(tree))
    return [f"{name}:{node.lineno} imports relatively" for name, node in nodes if isinstance(node, ast.ImportFrom) and node.level]

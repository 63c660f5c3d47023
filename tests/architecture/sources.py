"""The project's modules as syntax trees, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "services", "deploy", "tests")
SERVICES = ("evidence", "mastery", "scheduling", "reporting")

Modules = Mapping[str, ast.Module]


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported` (a module, or a name in one); `inside`: within a function, so not at start."""

    importer: str
    imported: str
    line: int
    inside: bool

    @property
    def top(self) -> str:
        return self.imported.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def project() -> Modules:
    """Every module of the project, by its dotted name."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {_name(path): ast.parse(path.read_bytes(), str(path)) for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def snippets(**sources: str) -> Modules:
    """Modules made for a control test. Two underscores in a keyword stand for a dot."""
    return {name.replace("__", "."): ast.parse(source) for name, source in sources.items()}


def imports(modules: Modules, prefix: str = "") -> Iterator[Import]:
    """What the modules under `prefix` import, wherever in the file, `TYPE_CHECKING` blocks included."""
    for name, tree in modules.items():
        if within(name, prefix):
            yield from _imports(name, tree)


def _imports(module: str, tree: ast.AST, inside: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            yield from (Import(module, f"{source}.{alias.name}", node.lineno, inside) for alias in node.names)
        else:
            yield from _imports(module, node, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def within(name: str, package: str) -> bool:
    """Is `name` the package, or anything in it? Everything is in the package without a name."""
    return not package or name == package or name.startswith(f"{package}.")


def docstrings(tree: ast.AST) -> set[int]:
    """The identities of the constants that are docstrings."""
    holders = (
        node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )
    firsts = (holder.body[0] for holder in holders if holder.body)
    return {id(first.value) for first in firsts if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)}

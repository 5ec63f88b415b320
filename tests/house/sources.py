"""Every source file, read and parsed once, and the few questions the tests of the house ask of it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "yiyuebao_api"


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """`kernel/clock.py` for files of the package, `tests/client.py` for others."""
        base = PACKAGE if self.path.is_relative_to(PACKAGE) else ROOT
        return self.path.relative_to(base).as_posix()

    @property
    def module(self) -> ModuleType:
        """The imported module of a file of the package."""
        dotted = ".".join(self.path.relative_to(PACKAGE.parent).with_suffix("").parts)
        return importlib.import_module(dotted.removesuffix(".__init__"))

    def at(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 0)}"

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call, with what is called as it is written: `clock.now`, `tx.commit`, `put`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node

    def strings(self) -> Iterator[tuple[str, ast.Constant]]:
        """Every piece of text that is not a docstring."""
        said = {id(node.body[0].value) for node in ast.walk(self.tree) if _has_docstring(node)}  # type: ignore[attr-defined]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                yield node.value, node

    def imports(self) -> Iterator[tuple[str, ast.stmt]]:
        """Every imported name, dotted: `from a import b` gives `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((each.name, node) for each in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{node.module}.{each.name}", node) for each in node.names)

    def value(self, node: ast.expr) -> Any:
        """What a literal or a dotted name stands for in this file of the package."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return getattr(self.module, node.id)
        if isinstance(node, ast.Attribute):
            return getattr(self.value(node.value), node.attr)
        raise ValueError(f"{self.at(node)}: neither a literal nor a name")


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None


def read(folder: Path) -> tuple[Source, ...]:
    """All Python files below a folder."""
    return tuple(_parsed(path) for path in sorted(folder.rglob("*.py")))


@cache
def _parsed(path: Path) -> Source:
    text = path.read_text()
    return Source(path, text, ast.parse(text, str(path)))


def ours(*, but: tuple[str, ...] = ()) -> tuple[Source, ...]:
    """The package's files, without those whose names start with one of `but`."""
    return tuple(each for each in read(PACKAGE) if not each.name.startswith(but or ("\0",)))

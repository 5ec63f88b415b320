"""Every notice is told in two languages, and both say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import PACKAGE

#: What stands in a sentence and means the same in the other one.
_ALIKE = ("zh", "en")
_CHINESE = re.compile("[\u3000-\u9fff\uff00-\uffef]")


def _pairs() -> Iterator[tuple[Path, ast.Call]]:
    """Every `Words(zh, en)` written out in a domain."""
    for file in (PACKAGE / "domains").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Words":
                continue
            if len(node.args) == 2 and all(isinstance(each, ast.Constant | ast.JoinedStr) for each in node.args):
                yield file, node


def _facts(sentence: ast.expr) -> set[str]:
    """What is filled in: `booking.order_no`, and `start` for both `start.zh` and `start.en`."""
    found = set()
    for node in ast.walk(sentence):
        if isinstance(node, ast.FormattedValue) and not isinstance(node.value, ast.IfExp):
            value = node.value
            while isinstance(value, ast.Attribute) and value.attr in _ALIKE:
                value = value.value
            found.add(ast.unparse(value))
    return found


def _letters(sentence: ast.expr) -> str:
    return "".join(each.value for each in ast.walk(sentence) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_both_languages_name_the_same_facts() -> None:
    """The accident: a tourist in Haikou read that the nurse would come, and had to guess when."""
    pairs = list(_pairs())
    assert len(pairs) > 150
    for file, call in pairs:
        assert _facts(call.args[0]) == _facts(call.args[1]), f"{file.name}:{call.lineno}"


def test_english_is_english() -> None:
    for file, call in _pairs():
        assert not _CHINESE.search(_letters(call.args[1])), f"{file.name}:{call.lineno}"

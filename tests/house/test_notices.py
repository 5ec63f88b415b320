"""Every notice is told in two languages."""

from __future__ import annotations

import ast
import re

from tests.house.sources import PACKAGE
from yiyuebao_api.domains.notices.rules import ENGLISH

_KIND = re.compile(r"[a-z]+\.[a-z_]+")
#: Kinds put together at run time.
_COMPOSED = {"qualification.approved", "qualification.rejected", "clinician.paper_ended", "clinician.paper_runs_out"}


def _kinds() -> set[str]:
    found = set()
    for file in (PACKAGE / "domains").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")).startswith("tell_"):
                words = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
                found |= {word for word in words if _KIND.fullmatch(word)}
    return found


def test_every_kind_has_its_english() -> None:
    """The accident: a tourist in Haikou was told in Chinese that the nurse would not come."""
    kinds = _kinds()
    assert len(kinds) > 20
    assert set(ENGLISH) == kinds | _COMPOSED


def test_english_is_english_and_fits() -> None:
    for kind, words in ENGLISH.items():
        assert words.title.isascii(), kind
        assert words.body.isascii(), kind
        assert len(words.title) <= 60, kind

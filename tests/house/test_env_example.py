"""`.env.example` is the whole truth about configuration.

The accident: a setting was renamed, the example kept the old name, `extra="ignore"` swallowed it, and an installation
ran for weeks on a default that its owner believed to have changed.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from yiyuebao_api.settings import Settings, weaknesses

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / ".env.example").read_text()
LINE = re.compile(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$")

#: What an operator would write in place of each placeholder, by the placeholder's own words.
REPLACEMENTS = {
    "api.example.com": "api.yiyuebao.test.cn",
    "openssl rand -base64 48": "c2l4dHktZm91ciBjaGFyYWN0ZXJzIG9mIGJhc2U2NCBmb3IgdGVzdHMgb25seSE=",
    "openssl rand -base64 32": "b25seSBmb3IgdGVzdHMsIDMyIGJ5dGVzIGxvbmchISE=",
    "openssl rand -hex 24": "0123456789abcdef0123456789abcdef0123456789abcdef",
    "32 characters": "0123456789abcdefghijklmnopqrstuv",
    "40 hexadecimal digits": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "digits": "0111120000000000000000000000000000",
}


def settings_that_exist(model: type[BaseModel] = Settings, prefix: str = "YIYUEBAO_") -> dict[str, Any]:
    """Variable → default, walked through the nested classes."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= settings_that_exist(field.annotation, f"{variable}__")
        else:
            found[variable] = field.get_default(call_default_factory=True, validated_data={})
    return found


def example() -> dict[str, tuple[bool, str]]:
    """Variable → (optional, value) as the example gives them."""
    matches = [match for line in TEXT.splitlines() if (match := LINE.match(line))]
    names = [match[2] for match in matches]
    assert len(names) == len(set(names)), "a variable is named twice"
    return {match[2]: (match[1] == "#", match[3]) for match in matches}


def filled_in() -> str:
    """The example as an operator leaves it: every placeholder of a line that counts replaced."""
    counting = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#"))
    return re.sub(r"<([^>]*)>", lambda found: REPLACEMENTS.get(found[1], "given-by-the-operator"), counting)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings_that_exist():
        monkeypatch.delenv(name, raising=False)


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / ".env"
    path.write_text(text)
    return Settings(_env_file=path)


def test_it_names_exactly_the_settings_that_exist() -> None:
    ours = {name for name in example() if name.startswith("YIYUEBAO_")}
    assert ours == set(settings_that_exist())


def test_it_names_exactly_what_compose_asks_for() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    assert {name for name in example() if not name.startswith("YIYUEBAO_")} == asked


def test_every_setting_is_explained() -> None:
    lines = TEXT.splitlines()
    explained = re.compile(r"# (?!---)")
    bare = [line for above, line in pairwise(lines) if LINE.match(line) and not explained.match(above)]
    assert not bare


def test_optional_lines_show_the_defaults() -> None:
    defaults = settings_that_exist()
    for name, (optional, value) in example().items():
        default = defaults.get(name)
        if optional and default is not None:
            assert value == _as_written(default), name


def test_filled_in_it_is_fit_for_production(tmp_path: Path) -> None:
    settings = load(tmp_path, filled_in())
    assert settings.production
    assert weaknesses(settings) == []


def test_untouched_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="not fit for production"):
        load(tmp_path, TEXT)


def test_forgetting_any_one_secret_is_refused(tmp_path: Path) -> None:
    """Each line that makes a secret, left as it stands while all others are filled in."""
    untouched = {match[2]: line for line in TEXT.splitlines() if "openssl" in line and (match := LINE.match(line))}
    ours = [name for name in untouched if name.startswith("YIYUEBAO_")]
    assert ours
    for name in ours:
        text = re.sub(rf"^{name}=.*$", untouched[name], filled_in(), flags=re.MULTILINE)
        with pytest.raises(ValidationError, match="not fit for production"):
            load(tmp_path, text)


def _as_written(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain)

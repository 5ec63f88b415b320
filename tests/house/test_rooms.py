"""Where things stand: the rooms of a domain, names that say nothing, opening sentences, who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house.sources import PACKAGE, ROOT, ours, read
from yiyuebao_api import wiring

ROOMS = {
    "__init__", "problems", "rules", "events", "models", "schemas", "queries", "guards", "service", "routes", "live",
}  # fmt: skip
#: Rooms that one domain has for itself, each with its reason.
OWN_ROOMS = {
    "consultations": {"frames"},  # the shapes of the socket: published beside OpenAPI, and judged by the tests
    "privacy": {"holdings"},  # what is held of a person, table by table: read by every use case, written down once
    "nearby": {"index", "snapshot"},  # the search runs in memory: numpy columns, no SQL and no rules
}
MEANINGLESS = {
    "utils", "util", "helpers", "helper", "common", "constants", "deps", "crud", "repository", "repositories",
    "manager", "managers", "base", "misc", "core", "shared",
}  # fmt: skip
#: A service is split by noun; these would be layers. (Events are a noun where systems are told of them.)
LAYERS = ROOMS - {"__init__", "events"} | {"commands", "handlers", "use_cases", "dto", "dao"}


def _domains() -> list[Path]:
    return sorted(each.parent for each in (PACKAGE / "domains").glob("*/__init__.py"))


def test_a_domain_has_the_known_rooms_only() -> None:
    """The accident: every domain grew a file of its own invention, and nobody found anything in ten seconds again."""
    unknown = [
        str(file.relative_to(PACKAGE))
        for domain in _domains()
        for file in domain.iterdir()
        if file.name != "__pycache__"
        and (file.suffix == ".py" or file.is_dir())
        and file.stem not in ROOMS | OWN_ROOMS.get(domain.name, set())
    ]
    assert unknown == []
    folders = [folder for domain in _domains() for folder in domain.iterdir() if folder.is_dir()]
    assert {folder.name for folder in folders} <= {"service", "__pycache__"}


def test_a_service_is_split_by_noun() -> None:
    """The accident: `service/commands.py` and `service/handlers.py` held one half of every use case each."""
    files = [file for domain in _domains() for file in (domain / "service").glob("*.py")]
    assert [str(file.relative_to(PACKAGE)) for file in files if file.stem in LAYERS] == []
    deeper = [
        folder for domain in _domains() for folder in (domain / "service").glob("*/") if folder.name != "__pycache__"
    ]
    assert deeper == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    """The accident: `utils.py` took in whatever had no home, until everything imported it and it imported everything."""
    nowhere = [
        path.relative_to(ROOT).as_posix()
        for folder in (PACKAGE, ROOT / "tests", ROOT / "scripts", ROOT / "migrations")
        for path in folder.rglob("*.py")
        if MEANINGLESS & {part.removesuffix(".py") for part in path.relative_to(folder).parts}
    ]
    assert nowhere == []


def test_every_module_opens_with_a_sentence() -> None:
    """The accident: a file without its one sentence became two files, because nobody could say what it was for."""
    silent = []
    for folder in (PACKAGE, ROOT / "tests", ROOT / "scripts", ROOT / "migrations"):
        for source in read(folder):
            if (
                source.path.name == "__init__.py"
                and not source.text.strip()
                and not source.path.is_relative_to(PACKAGE)
            ):
                continue
            first = (ast.get_docstring(source.tree) or "").split("\n\n")[0]
            if not first.rstrip().endswith((".", "?", "!", ":")):
                silent.append(source.name)
    assert silent == []


def test_every_domain_says_its_words_in_both_languages() -> None:
    """The accident: 签约 was a contract in the table, a signing in the URL and an agreement in the tests."""
    mute = []
    for domain in _domains():
        said = ast.get_docstring(ast.parse((domain / "__init__.py").read_text())) or ""
        if "Words: " not in said or not any("一" <= letter <= "鿿" for letter in said):
            mute.append(domain.name)
    assert mute == []


def test_the_import_contracts_hold() -> None:
    """The accident: two domains imported each other, and from that day on neither could be tested, or read, alone."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_listeners_sit_above_those_who_announce() -> None:
    """The accident: a lower domain listened to a higher one; the circle that imports forbid came back through events."""
    order = _order_of_domains()
    upside_down = [
        f"{event.__name__} ({event.__module__}) → {listener.__module__}"
        for event, listeners in wiring.EVENTS.items()
        for listener in listeners
        if order.index(_domain_of(listener.__module__)) >= order.index(_domain_of(event.__module__))
        and not _is_live(listener.__module__, event.__module__)
    ]
    assert upside_down == []


def test_only_the_application_and_its_tests_start_the_sandbox() -> None:
    """The accident: product code imported a provider's stand-in, and production believed its payments."""
    importers = {
        source.name
        for source in ours(but=("sandbox/",))
        for name, _ in source.imports()
        if name.startswith("yiyuebao_api.sandbox")
    }
    assert importers <= {"__main__.py"}


def _order_of_domains() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["name"] == "Domains lean one way")
    return [layer.strip("()") for layer in layers]  # the highest first


def _is_live(listener: str, event: str) -> bool:
    """The room of sockets sits above the service that announces, inside the same domain."""
    return listener == event.rpartition(".")[0] + ".live"


def _domain_of(module: str) -> str:
    return module.removeprefix("yiyuebao_api.domains.").split(".")[0]

"""The Dockerfile's own steps, run as a script: no container engine is needed to know that they install what starts.

The accident: an image was built green and died at its first start, because a package that the code imports was
installed on every developer's machine and missing from the lock that the image uses.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stage:
    """One stage of a Dockerfile, played into a folder that stands for the image's root."""

    root: Path
    stages: dict[str, Stage]
    env: dict[str, str] = field(default_factory=dict)
    workdir: Path = Path("/")
    command: list[str] = field(default_factory=list)
    user: str = "root"

    def place(self, path: str) -> Path:
        """Where a path of the image lies in our folder."""
        return self.root / (self.workdir / path).relative_to("/")

    def play(self, instruction: str, argument: str) -> None:
        match instruction:
            case "ENV":
                for name, _, value in (pair.partition("=") for pair in shlex.split(argument)):
                    # Absolute paths of the image mean our folder; what the builder found in PATH stays in reach.
                    mapped = re.sub(r"(^|:)/(?=opt|app)", rf"\g<1>{self.root}/", value)
                    self.env[name] = re.sub(r"\$(\w+)", lambda found: self.variables()[found[1]], mapped)
            case "WORKDIR":
                self.workdir = Path(argument)
                self.place(".").mkdir(parents=True, exist_ok=True)
            case "COPY":
                self.copy(shlex.split(argument))
            case "RUN":
                subprocess.run(["sh", "-ec", argument], cwd=self.place("."), env=self.variables(), check=True)
            case "USER":
                self.user = argument
            case "ENTRYPOINT":
                self.command = re.findall(r'"([^"]*)"', argument)

    def copy(self, words: list[str]) -> None:
        source_root = ROOT
        if words[0].startswith("--from="):
            source_root = self.stages[words.pop(0).removeprefix("--from=")].root
        *sources, target = words
        for source in sources:
            found = source_root / source.lstrip("/")
            destination = self.place(target)
            if found.is_dir():
                ignore = shutil.ignore_patterns("__pycache__") if source_root == ROOT else None
                shutil.copytree(found, destination, symlinks=True, dirs_exist_ok=True, ignore=ignore)
            else:
                destination.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, destination)

    def variables(self) -> dict[str, str]:
        """The stage's environment over ours; `python` is there, as in the base image (Debian has `python3` only)."""
        outside = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
        outside["PATH"] = f"{Path(sys.executable).parent}:{outside.get('PATH', os.defpath)}"
        return {**outside, **self.env}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Every stage by name, played; the last is called `image`, and its RUN, which makes a system user, is left out."""
    played: dict[str, Stage] = {}
    stage = None
    for instruction, argument in instructions():
        if instruction == "FROM":
            name = argument.partition(" AS ")[2] or "image"
            stage = played[name] = Stage(tmp_path_factory.mktemp(name), played)
        elif stage is not None and not (instruction == "RUN" and "image" in played):
            stage.play(instruction, argument)
    yield played
    for stage in played.values():  # several hundred megabytes that pytest would keep for three runs
        shutil.rmtree(stage.root)


@pytest.mark.timeout(900)
def test_the_installed_service_starts(stages: dict[str, Stage]) -> None:
    image = stages["image"]
    # The builder's virtual environment was copied: its interpreter is a link to ours, found through PATH.
    result = subprocess.run(
        [*image.command, "--help"],
        cwd=image.place("."),
        env=image.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for command in ("serve", "worker", "migrate"):
        assert command in result.stdout


@pytest.mark.timeout(900)
def test_the_image_has_what_the_commands_read(stages: dict[str, Stage]) -> None:
    """`migrate` looks for its scripts beside the package; a lock alone does not bring them."""
    for needed in ("migrations/env.py", "src/yiyuebao_api/__main__.py"):
        assert stages["image"].place(needed).exists(), needed


@pytest.mark.timeout(900)
def test_the_image_leaves_tests_and_secrets_outside(stages: dict[str, Stage]) -> None:
    present = {path.name for path in stages["image"].place(".").iterdir()}
    assert present == {"migrations", "requirements.lock", "src"}


@pytest.mark.timeout(900)
def test_nobody_is_served_by_root(stages: dict[str, Stage]) -> None:
    assert stages["image"].user not in {"root", "0", ""}


def test_what_is_copied_reaches_the_builder() -> None:
    """`.dockerignore` refuses everything by default: each source of a COPY must be let through by name."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {
        source
        for instruction, argument in instructions()
        if instruction == "COPY" and not argument.startswith("--from")
        for source in argument.split()[:-1]
    }
    assert sources == let_through

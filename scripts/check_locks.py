"""The lock files agree with pyproject.toml and with each other, and name no host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(lock: str) -> dict[str, str]:
    """Canonical name → locked version; every one of them must carry a hash."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", Path(lock).read_text()):
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", entry):
            if "--hash=sha256:" not in entry:
                raise SystemExit(f"{lock}: {match[1]} has no hash")
            found[canonicalize_name(match[1])] = match[2]
    return found


def main() -> None:
    run, test = pins("requirements.lock"), pins("requirements-dev.lock")
    project = tomllib.loads(Path("pyproject.toml").read_text())
    wanted = {"requirements.lock": (project["project"]["dependencies"], run)}
    wanted["requirements-dev.lock"] = (project["dependency-groups"]["dev"], test)
    wrong = [
        f"{name} is {version} in one lock and {test.get(name)} in the other"
        for name, version in run.items()
        if version != test.get(name)
    ]
    for lock, (requirements, locked) in wanted.items():
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version):
                wrong.append(f"{lock} has {requirement.name} {version}, and pyproject.toml asks for {requirement}")
    address_in = re.compile(r"https?://\S+|^\s*--(?:index|extra-index|find)\S*", re.MULTILINE)
    for lock in ("requirements.lock", "requirements-dev.lock", ".ci/tools.lock"):
        pins(lock)
        if address := address_in.search(Path(lock).read_text()):
            wrong.append(f"{lock} names an address: {address[0]}")
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{len(run)} packages to run, {len(test)} to test: locked, hashed, in agreement")


if __name__ == "__main__":
    main()

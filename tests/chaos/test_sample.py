"""A short, seeded piece of the chaos: every kind of harm once, and not a word lost, doubled or out of place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.story import tell
from tests.sandbox_server import SandboxServer


@pytest.mark.timeout(180)
async def test_nothing_is_lost_while_everything_is_hurt(sandbox: SandboxServer, tmp_path: Path) -> None:
    told = await tell(sandbox, tmp_path, pairs=8, seconds=14, seed=20261125, words=12, pace_s=0.5, pause_s=1.0)
    assert told["stored"] == told["acknowledged"] == told["sent"] == told["devices"] * 12
    assert told["hurt"]["cut_sockets"] >= 2

"""What the statements of a use case really cost: recorded as they are sent, then explained by the server."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import event

from yiyuebao_api.kernel.database import Database


class Statements:
    """Every SELECT sent from here on, with its parameters. `await plans()` asks the server how it runs them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sent: list[tuple[str, Any]] = []
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            self.sent.append((statement, parameters))

    def stop(self) -> list[tuple[str, Any]]:
        """The statements so far; no more are noted."""
        event.remove(self._database.engine.sync_engine, "before_cursor_execute", self._note)
        return self.sent

    async def plans(self) -> dict[str, list[dict[str, Any]]]:
        """EXPLAIN of each distinct statement, its lines by table."""
        lines: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        async with self._database.engine.connect() as connection:
            for statement, parameters in {sent[0]: sent for sent in self.stop()}.values():
                rows = (await connection.exec_driver_sql("EXPLAIN " + statement, parameters)).mappings()
                for row in rows:
                    lines[row["table"]].append(dict(row))
        return dict(lines)

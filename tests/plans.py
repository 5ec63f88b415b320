"""What the statements of a use case really cost: recorded as they are sent, then explained by the server."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import event

from yiyuebao_api.kernel.database import Database


def numbers(digits: int) -> str:
    """A derived table `numbers(seq)` of 0 … 10^digits - 1, for both servers."""
    tens = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
    value = " + ".join(f"t{place}.d * {10**place}" for place in range(digits))
    return f"(SELECT {value} AS seq FROM {', '.join(f'({tens}) AS t{place}' for place in range(digits))}) AS numbers"


class Statements:
    """Every SELECT (or `kind`) sent from here on, with its parameters. `await plans()` asks how the server runs them."""

    def __init__(self, database: Database, kind: str = "SELECT") -> None:
        self._database = database
        self._kind = kind
        self.sent: list[tuple[str, Any]] = []
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._hear)

    def _hear(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(self._kind):
            self.sent.append((statement, parameters))

    def stop(self) -> list[tuple[str, Any]]:
        """The statements so far; no more are noted."""
        event.remove(self._database.engine.sync_engine, "before_cursor_execute", self._hear)
        return self.sent

    async def plans(self) -> dict[str, list[dict[str, Any]]]:
        """EXPLAIN of each distinct statement, its lines by table."""
        lines: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        async with self._database.engine.connect() as connection:
            # MySQL 9 draws a tree unless asked for the table; MariaDB knows no other form, and not its name.
            explain = "EXPLAIN " if getattr(connection.dialect, "is_mariadb", False) else "EXPLAIN FORMAT=TRADITIONAL "
            for statement, parameters in {sent[0]: sent for sent in self.stop()}.values():
                rows = (await connection.exec_driver_sql(explain + statement, tuple(parameters))).mappings()
                for row in rows:
                    lines[row["table"]].append(dict(row))
        return dict(lines)

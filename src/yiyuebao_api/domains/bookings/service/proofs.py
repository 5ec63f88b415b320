"""What a service asks to be shown before it is booked: prescriptions, proofs of illness, pictures of a wound (RULE-43)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.catalogue.rules import PROOFS
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.queries import find_file, read_file
from yiyuebao_api.domains.files.service import FileLink, signed_link
from yiyuebao_api.kernel.ids import AccountId, FileId
from yiyuebao_api.kernel.reading import Asks


async def require_proof(asks: Asks, account_id: AccountId, file_id: FileId) -> File:
    """One's own file, uploaded as such. Raises FileNotFound."""
    file = await read_file(asks, file_id)
    if file is None or file.owner_id != account_id or file.purpose not in PROOFS:
        raise FileNotFound
    return file


async def list_proofs(tx: AsyncSession, booking: Booking, *, now: datetime) -> list[tuple[File, FileLink]]:
    """What was shown, with fresh links, for whoever passed a guard."""
    shown = []
    for each in (booking.screening or {}).get("proofs", ()):
        file = await find_file(tx, FileId.parse(each))
        if file is not None:
            shown.append((file, signed_link(file, now=now)))
    return shown

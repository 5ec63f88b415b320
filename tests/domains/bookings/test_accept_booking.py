"""The desk takes a paid booking on, once, and never takes a clinician off by it."""

from __future__ import annotations

from tests.client import Api, refused
from tests.scenes.bookings import accepted, row_of
from tests.scenes.clinicians import make_clinician
from yiyuebao_api.context import Context


async def test_accepting_once_more_takes_nobody_off(api: Api, context: Context) -> None:
    """A late tap on an old screen: somebody has been assigned, and stays assigned."""
    offered, _, booking = await accepted(api, context)
    nurse = await make_clinician(context.database, offered.hospital.id)
    sent = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    assert (await offered.desk.post("/v1/hospital/visits", json=sent)).status_code == 201
    again = await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")
    assert refused(again, 409, "booking-state-refused")["state"] == "assigned"
    assert (await row_of(context.database, booking["id"])).state.value == "assigned"

"""Use cases of schedules: places for everybody above, pools and roster for the desk."""

from yiyuebao_api.domains.schedules.service.places import (
    claim_place,
    keep_claim,
    list_slots,
    need_of,
    next_free,
    release_claim,
)
from yiyuebao_api.domains.schedules.service.pools import (
    add_exception,
    create_pool,
    delete_pool,
    edit_pool,
    remove_exception,
    set_services,
    set_week,
)
from yiyuebao_api.domains.schedules.service.roster import (
    RosterLine,
    add_leave,
    duty_of,
    remove_leave,
    roster_of_day,
    set_roster,
)

__all__ = [
    "RosterLine",
    "add_exception",
    "add_leave",
    "claim_place",
    "create_pool",
    "delete_pool",
    "duty_of",
    "edit_pool",
    "keep_claim",
    "list_slots",
    "need_of",
    "next_free",
    "release_claim",
    "remove_exception",
    "remove_leave",
    "roster_of_day",
    "set_roster",
    "set_services",
    "set_week",
]

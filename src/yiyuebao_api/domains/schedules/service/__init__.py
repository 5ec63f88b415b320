"""Use cases of schedules: places for everybody above, pools and roster for the desk."""

from yiyuebao_api.domains.schedules.service.places import (
    Day,
    Want,
    claim_place,
    keep_claim,
    list_slots,
    lock_seats,
    need_of,
    next_free,
    release_claim,
    require_crew,
    require_left,
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
    "Day",
    "RosterLine",
    "Want",
    "add_exception",
    "add_leave",
    "claim_place",
    "create_pool",
    "delete_pool",
    "duty_of",
    "edit_pool",
    "keep_claim",
    "list_slots",
    "lock_seats",
    "need_of",
    "next_free",
    "release_claim",
    "remove_exception",
    "remove_leave",
    "require_crew",
    "require_left",
    "roster_of_day",
    "set_roster",
    "set_services",
    "set_week",
]

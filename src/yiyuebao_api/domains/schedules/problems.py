"""Reasons to refuse a time or a change of the schedule."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class SlotTaken(Problem):
    status, code = 409, "slot-taken"
    title = Words("号源已约满", "Slot taken")
    detail = Words("该时段刚刚约满，请换一个时间。", "That time has just been taken; choose another one.")


class SlotNotOffered(Problem):
    status, code = 409, "slot-not-offered"
    title = Words("该时间不可预约", "Slot not offered")
    detail = Words(
        "该时间不在可预约范围内（未开放、已停诊，或距现在太近或太远），请重新选择。",
        "That time is not offered (closed, too soon or too far ahead); choose another one.",
    )


class ServiceInOtherPool(Problem):
    status, code = 409, "service-in-other-pool"
    title = Words("项目已属于其他班组", "Service draws from another pool")
    detail = Words(
        "有项目已绑定到其他班组，同一项目的同一服务方式只能属于一个班组，请先从原班组移除。",
        "One of these services already draws from another pool for this place; take it out there first.",
    )


class ServiceNotOfSite(Problem):
    status, code = 409, "service-not-of-site"
    title = Words("项目不属于该院区", "Service of another site")
    detail = Words(
        "有项目不属于该班组所在的院区，请检查后再提交。",
        "One of these services does not belong to this pool's hospital site.",
    )


class PoolInUse(Problem):
    status, code = 409, "pool-in-use"
    title = Words("班组已有预约", "Pool in use")
    detail = Words("该班组已有预约记录，不能删除，可以改为停用。", "This pool has had bookings: switch it off instead.")


class NightNotAllowed(Problem):
    status, code = 409, "night-not-open"
    title = Words("未开放夜间服务", "Night hours not open")
    detail = Words(
        "该班组未开放夜间服务，开放时间须在 08:00–20:00 之间。",
        "This pool does not work at night: hours must lie within 08:00 to 20:00.",
    )


class HoursOverlap(Problem):
    status, code = 409, "hours-overlap"
    title = Words("时间段重叠", "Hours overlap")
    detail = Words("同一天的时间段不能重叠，请调整后再提交。", "Hours of one day must not overlap.")


class PeriodNotListable(Problem):
    status, code = 422, "period-not-listable"
    title = Words("查询条件不正确", "Period not listable")
    detail = Words(
        "结束时间须晚于开始时间，且不超过 31 天；服务方式须为上门或到院。",
        "`to` must be later than `from` by at most 31 days, and `place` one of home and hospital.",
    )

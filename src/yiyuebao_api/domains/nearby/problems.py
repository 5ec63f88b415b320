"""Reasons to refuse a search."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class PlaceMissing(Problem):
    status, code = 422, "place-missing"
    title = Words("缺少位置", "No place given")
    detail = Words(
        "请提供 lat 和 lng；没有定位权限时请提供 6 位行政区划代码 adcode。",
        "Give `lat` and `lng`, or a 6-digit `adcode` when there is no permission to locate.",
    )


class PlaceOutsideChina(Problem):
    status, code = 422, "place-outside-china"
    title = Words("位置不在服务范围", "Place outside China")
    detail = Words(
        "坐标应为纬度 3–54、经度 73–136，请检查经纬度是否写反、坐标系是否正确。",
        "Expected lat 3 to 54 and lng 73 to 136: are they swapped, or is `coord_type` wrong?",
    )


class PeriodNotSearchable(Problem):
    status, code = 422, "period-not-searchable"
    title = Words("日期范围不正确", "Period not searchable")
    detail = Words(
        "结束日期不能早于开始日期或今天，且最多查询 31 天。",
        "`latest` must not lie before `earliest` or today, and a search covers at most 31 days.",
    )

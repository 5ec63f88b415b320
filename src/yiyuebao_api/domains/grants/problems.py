"""Reasons to refuse around grants."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class GrantNeededByBooking(Problem):
    """`subject` is the booking."""

    status, code = 409, "grant-needed-by-booking"
    title = Words("预约仍需要该授权", "A booking still needs this")
    detail = Words(
        "医院和医护人员需要这些信息才能为您服务。如不希望继续，请先取消预约，授权会随之关闭。",
        "Without these data the visit cannot be carried out. Cancel the booking and the grant is closed with it.",
    )


class GrantNeededByConsultation(Problem):
    """`subject` is the consultation."""

    status, code = 409, "grant-needed-by-consultation"
    title = Words("咨询仍需要该授权", "A consultation still needs this")
    detail = Words(
        "医护人员需要了解您咨询的内容才能回复。如不希望继续，请先结束咨询，授权会随之关闭。",
        "Nobody can answer without what the consultation is about. Leave it and the grant is closed with it.",
    )

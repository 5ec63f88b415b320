"""Why a booking is refused."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class PatientNotVerified(Problem):
    status, code = 409, "patient-not-verified"
    title = Words("就诊人尚未实名", "Patient not verified")
    detail = Words("请先为就诊人完成实名认证，再预约。", "Complete the patient's real-name check before booking.")


class EmergencyFirst(Problem):
    """RULE-42."""

    status, code = 409, "emergency-120"
    title = Words("请立即拨打 120", "Call 120 now")
    detail = Words(
        "所述情况可能危及生命，请立即拨打 120 或前往最近的急诊，不要等待上门服务。",
        "This may be life-threatening: call 120 or go to the nearest emergency room; do not wait for a visit.",
    )


class NotEligible(Problem):
    """RULE-40."""

    status, code = 409, "not-eligible"
    title = Words("不符合上门服务对象", "Not eligible at home")
    detail = Words(
        "该上门服务面向特定人群（{one_of}），请如实选择适用情形，或预约到院服务。",
        "This visit at home is for certain people ({one_of}); tell which applies, or book at the hospital.",
    )


class ExcludedByAnswers(Problem):
    """RULE-41."""

    status, code = 409, "excluded-by-answers"
    title = Words("暂不适合上门服务", "Not safe at home")
    detail = Words(
        "根据您的回答（{questions}），暂不适合上门服务，请到院就诊。",
        "By your answers ({questions}) this is not safe at home; come to the hospital.",
    )


class ScreeningIncomplete(Problem):
    """RULE-43, RULE-48."""

    status, code = 422, "screening-incomplete"
    title = Words("请补充预约信息", "More is needed")
    detail = Words("请先补充以下信息再预约：{missing}。", "Tell these before booking: {missing}.")


class AssessmentNeeded(Problem):
    """RULE-39."""

    status, code = 409, "assessment-needed"
    title = Words("需先完成首诊评估", "A first assessment is needed")
    detail = Words(
        "该上门服务需先由本院医护完成首诊评估且评估在服务当日有效。",
        "A clinician of the hospital must assess the patient first, and the assessment must still hold at the visit.",
    )


class AssessmentNotPossible(Problem):
    """RULE-39, RULE-50."""

    status, code = 409, "assessment-not-possible"
    title = Words("不能评估", "Not to be assessed")
    detail = Words(
        "到院服务无需评估，已有有效评估的不能重复评估。",
        "Nothing is assessed for a visit at the hospital, or while an assessment stands.",
    )


class OutOfArea(Problem):
    """RULE-44."""

    status, code = 409, "out-of-area"
    title = Words("超出上门范围", "Out of the service area")
    detail = Words(
        "该地址不在医院的上门服务范围内，请更换地址或选择到院服务。",
        "This address is outside the hospital's area; choose another, or come to the hospital.",
    )


class QuoteOutdated(Problem):
    """RULE-37: nobody pays a price that was not shown."""

    status, code = 409, "quote-outdated"
    title = Words("项目内容或价格已更新", "The offer has changed")
    detail = Words(
        "您查看后该项目已更新，现在的总价为 {total}，请查看新的报价并确认后再预约。",
        "The service was changed after you saw it and costs {total} now; look at the new quote and book again.",
    )


class StaffSexNotOffered(Problem):
    """RULE-46: a wish is promised only when somebody can keep it."""

    status, code = 409, "staff-sex-not-offered"
    title = Words("暂无符合要求的人员", "Nobody of that sex")
    detail = Words(
        "该医院当日没有可上门的{wished}医护人员，请取消人员性别要求，或选择其他医院。",
        "The hospital has no {wished} clinician who may be sent on that day; drop the wish or choose another hospital.",
    )


class AddressNeeded(Problem):
    status, code = 422, "address-needed"
    title = Words("请选择上门地址", "Address needed")
    detail = Words("上门服务需要选择一个地址；到院服务不需要。", "A visit at home needs an address; one at the hospital has none.")


class PlaceNotOffered(Problem):
    status, code = 409, "place-not-offered"
    title = Words("该服务不支持所选地点", "Not offered there")
    detail = Words("该服务不支持在所选地点进行，请换一种方式。", "This service is not done at that place.")


class PatientAlreadyBooked(Problem):
    """B18: the same person cannot be in two visits at once."""

    status, code = 409, "patient-already-booked"
    title = Words("该时段已有预约", "Already booked then")
    detail = Words("这位就诊人在该时段已有预约，请换一个时间。", "This patient already has a booking at that time.")


class TooManyHolds(Problem):
    status, code = 409, "too-many-holds"
    title = Words("待支付的预约过多", "Too many unpaid bookings")
    detail = Words(
        "最多可同时有 {most} 个待支付的预约，请先支付或取消。",
        "At most {most} bookings may wait for payment; pay or cancel one.",
    )


class BookingExpired(Problem):
    status, code = 409, "booking-expired"
    title = Words("预约已过期", "The hold has ended")
    detail = Words("未在规定时间内支付，号源已释放，请重新预约。", "It was not paid in time and the place is free again; book anew.")


class BookingStateRefused(Problem):
    status, code = 409, "booking-state-refused"
    title = Words("当前状态不能进行此操作", "Not possible now")
    detail = Words("预约当前为“{state}”状态，不能进行此操作。", "The booking is `{state}`; this is not possible now.")


class VisitAlreadyArrived(Problem):
    """RULE-65: arrived or later is for a dispute, not for a button."""

    status, code = 409, "visit-already-arrived"
    title = Words("医护人员已到达", "The visit has begun")
    detail = Words(
        "医护人员已到达，无法自行取消，如有问题请联系医院。",
        "The clinician has arrived; it cannot be cancelled any more. Call the hospital.",
    )


class TooLateToReschedule(Problem):
    """RULE-66."""

    status, code = 409, "too-late-to-reschedule"
    title = Words("距开始时间太近", "Too late to reschedule")
    detail = Words(
        "开始前 {hours} 小时内不能自行改期，请联系医院或取消后重新预约。",
        "Within {hours} hours of the start only the hospital can move it; call them, or cancel and book anew.",
    )


class RescheduledTooOften(Problem):
    """RULE-66."""

    status, code = 409, "rescheduled-too-often"
    title = Words("改期次数已用完", "Rescheduled too often")
    detail = Words("一个预约最多改期 {most} 次，请取消后重新预约。", "A booking can be moved {most} times; cancel it and book anew.")


class AlreadyReviewed(Problem):
    """RULE-63."""

    status, code = 409, "already-reviewed"
    title = Words("已评价", "Already reviewed")
    detail = Words("每次服务只能评价一次，您已评价过。", "A visit can be reviewed once, and you have done so.")


class ReviewPeriodOver(Problem):
    """RULE-63."""

    status, code = 409, "review-period-over"
    title = Words("评价期已过", "Too late to review")
    detail = Words(
        "服务完成后 {days} 天内可以评价，现已超过。", "A visit can be reviewed within {days} days after it was done; they have passed."
    )


class ReviewAlreadyAnswered(Problem):
    status, code = 409, "review-already-answered"
    title = Words("已回复", "Already answered")
    detail = Words("该评价已回复，不能重复回复。", "This review was answered already.")

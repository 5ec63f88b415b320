"""Reasons to refuse around visits."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class BookingNotAssignable(Problem):
    status, code = 409, "booking-not-assignable"
    title = Words("预约不可派单", "Nobody can be assigned")
    detail = Words(
        "该预约当前状态为 {state}，只有已接单的预约可以派单。",
        "The booking is {state}; only an accepted one is assigned.",
    )


class ClinicianBusy(Problem):
    status, code = 409, "clinician-busy"
    title = Words("该人员时间冲突", "Busy at that time")
    detail = Words(
        "该人员在此时段（含路途时间）已有其他服务，请改派他人或更换时间。",
        "This person has another visit at that time, travel included; choose somebody else.",
    )


class ClinicianOnLeave(Problem):
    status, code = 409, "clinician-on-leave"
    title = Words("该人员请假", "On leave")
    detail = Words("该人员在此时段请假，请改派他人。", "This person is on leave at that time; choose somebody else.")


class ClinicianFullyBooked(Problem):
    status, code = 409, "clinician-fully-booked"
    title = Words("该人员当日已排满", "Fully booked that day")
    detail = Words(
        "该人员当日最多 {most} 单，已排满，请改派他人。",
        "This person takes at most {most} visits on such a day, and has them; choose somebody else.",
    )


class VisitStepOutOfOrder(Problem):
    status, code = 409, "visit-step-out-of-order"
    title = Words("步骤顺序不符", "Not the next step")
    detail = Words(
        "该服务当前步骤为 {stage}，不能进行此操作，请刷新后再试。", "The visit is {stage}; that does not come next."
    )


class RecordAlreadyWritten(Problem):
    status, code = 409, "record-already-written"
    title = Words("护理记录已提交", "Record already written")
    detail = Words(
        "该服务的护理记录已提交，内容不同的记录不会覆盖它。",
        "This visit has its record; another one does not replace it.",
    )


class ArrivalTooFar(Problem):
    status, code = 409, "arrival-too-far"
    title = Words("距服务地址过远", "Too far from the address")
    detail = Words(
        "当前位置距服务地址 {distance_m} 米，超过 {most_m} 米。请到达后再签到，或填写原因。",
        "You are {distance_m} m from the address, more than {most_m} m. Arrive first, or give a reason.",
    )


class CheckInCodeWrong(Problem):
    status, code = 409, "check-in-code-wrong"
    title = Words("核验码不正确", "Wrong code")
    detail = Words(
        "核验码不正确，请让患者打开预约页面重新出示。", "That is not the code; ask the patient to show it again."
    )


class CheckInCodeBlocked(Problem):
    status, code = 429, "check-in-code-blocked"
    title = Words("核验码输错次数过多", "Too many wrong codes")
    detail = Words("核验码多次输错，请稍后再试。", "The code was wrong too often; try again later.")

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


class OtherSexWished(Problem):
    """RULE-46."""

    status, code = 409, "other-sex-wished"
    title = Words("与患者的人员性别要求不符", "Another sex was wished for")
    detail = Words(
        "患者要求由特定性别的人员服务，该人员不符；请改派他人，或请患者在预约中取消要求。",
        "The patient wished for somebody of the other sex; choose somebody else, or ask the patient to drop the wish.",
    )


class ItemNotGranted(Problem):
    """RULE-46."""

    status, code = 409, "item-not-granted"
    title = Words("该人员未获授权此项目", "Not their item")
    detail = Words(
        "医院尚未授权该人员开展项目 {item_code}，请先授权，或改派他人。",
        "The hospital has not granted item {item_code} to this person; grant it, or choose somebody else.",
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


class AgreementMissing(Problem):
    """Nobody has signed what is to be done (RULE-47)."""

    status, code = 409, "agreement-missing"
    title = Words("尚未签署知情同意书", "Consent to the service is missing")
    detail = Words(
        "请患者或监护人先阅读并签署本次服务的知情同意书，再开始服务。",
        "The patient or guardian reads and signs the consent to this service first.",
    )


class AgreementSigned(Problem):
    """Who has signed has not refused to."""

    status, code = 409, "agreement-signed"
    title = Words("知情同意书已签署", "The consent is signed")
    detail = Words(
        "患者或监护人已签署本次服务的知情同意书，不能登记为拒绝签署。",
        "The patient or guardian has signed the consent to this service; that is no refusal.",
    )


class AgreementChanged(Problem):
    status, code = 409, "agreement-changed"
    title = Words("知情同意书内容不符", "Another text")
    detail = Words("签署的不是当前的知情同意书，请重新打开阅读后签署。", "That is not the present text; open and read it again.")


class AgreementNotRead(Problem):
    status, code = 422, "agreement-not-read"
    title = Words("请先阅读知情同意书", "Read it first")
    detail = Words("请打开知情同意书阅读后再签署。", "Open and read the consent before signing it.")


class SignatureNeeded(Problem):
    status, code = 422, "signature-needed"
    title = Words("需要手写签名", "A signature is needed")
    detail = Words("本项目风险较高，请在屏幕上手写签名后提交。", "This item carries more risk: please sign on the screen.")

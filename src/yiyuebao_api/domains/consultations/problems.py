"""Why a consultation, or a message in it, is refused."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ConsultationNotOffered(Problem):
    status, code = 409, "consultation-not-offered"
    title = Words("暂不接受咨询", "Not on offer")
    detail = Words("该医护人员暂未开放此类咨询，请选择其他医护人员。", "This clinician does not offer it now; choose another one.")


class OwnConsultation(Problem):
    status, code = 409, "own-consultation"
    title = Words("不能向自己咨询", "That is yourself")
    detail = Words("不能向自己发起咨询，请选择其他医护人员。", "You cannot consult yourself; choose another clinician.")


class TooManyUnpaidConsultations(Problem):
    status, code = 409, "too-many-unpaid-consultations"
    title = Words("待支付的咨询过多", "Too many unpaid consultations")
    detail = Words("最多可同时有 {most} 个待支付的咨询，请先支付或取消。", "At most {most} may wait for payment; pay or leave one.")


class RealNameNeeded(Problem):
    """RULE-79."""

    status, code = 409, "real-name-needed"
    title = Words("在线复诊需要实名", "Real name needed")
    detail = Words("在线复诊前，请先为就诊人完成实名认证。", "Complete the patient's real-name check before an online follow-up.")


class FirstVisitRefused(Problem):
    """RULE-77."""

    status, code = 409, "first-visit-refused"
    title = Words("首诊不能在线进行", "Not for a first visit")
    detail = Words(
        "在线复诊只面向已有明确诊断的常见病、慢性病患者：请上传诊断证明，或到医院就诊。",
        "Online follow-up is for known, diagnosed illness: upload a proof of the diagnosis, or see a doctor at a hospital.",
    )


class FirstVisitUnconfirmed(Problem):
    """RULE-77."""

    status, code = 409, "first-visit-unconfirmed"
    title = Words("接诊确认与咨询不符", "Another kind of acceptance")
    detail = Words(
        "首诊试点的咨询请确认“适合在线首诊”，其他在线复诊请确认“符合复诊条件”。",
        "Accept a first visit with `fits_first_visit`, every other follow-up with `meets_follow_up`.",
    )


class PilotPeriodRefused(Problem):
    """RULE-77."""

    status, code = 422, "pilot-period-refused"
    title = Words("试点期限不正确", "The period cannot be")
    detail = Words(
        "试点的最后一天不能早于第一天或今天，期限不超过 {years} 年，请按批文填写。",
        "The last day is neither before the first nor before today, and at most {years} years later; copy it from the document.",
    )


class PilotOverlaps(Problem):
    """RULE-77."""

    status, code = 409, "pilot-overlaps"
    title = Words("试点期限重叠", "Another pilot stands")
    detail = Words(
        "该医院该专科在此期间已有首诊试点，请先终止原试点。", "This hospital has a pilot of the specialty in that period; end it first."
    )


class ExportWindowRefused(Problem):
    """RULE-83."""

    status, code = 422, "export-window-refused"
    title = Words("导出期限不正确", "These days cannot be exported")
    detail = Words(
        "请填写已经开始的日期，最后一天不早于第一天，且不超过 {days} 天。",
        "The last day is neither before the first nor in the future, and it is at most {days} days in all.",
    )


class RegulatorExportTooLarge(Problem):
    """RULE-83."""

    status, code = 409, "regulator-export-too-large"
    title = Words("咨询过多", "Too many for one export")
    detail = Words(
        "所选日期内有 {found} 次咨询，一次最多导出 {most} 次，请缩短日期分次导出。",
        "There are {found} consultations in these days and at most {most} go into one export; ask for fewer days.",
    )


class RegulatorExportPending(Problem):
    """RULE-83."""

    status, code = 409, "regulator-export-pending"
    title = Words("监管导出正在生成", "One is being made")
    detail = Words("该医院的监管导出正在生成，请稍后再申请。", "An export of this hospital is being made; ask again when it is ready.")


class RegulatorExportNotReady(Problem):
    """RULE-83."""

    status, code = 409, "regulator-export-not-ready"
    title = Words("监管导出尚未生成", "Not made yet")
    detail = Words("监管导出尚未生成完毕，请稍后再下载。", "The export is not finished; fetch it later.")


class RegulatorExportExpired(Problem):
    """RULE-83."""

    status, code = 410, "regulator-export-expired"
    title = Words("监管导出已过保存期", "No longer kept")
    detail = Words("监管导出的保存期已满，请重新申请。", "The export is no longer kept; ask for a new one.")


class UnderSixRefused(Problem):
    """RULE-81."""

    status, code = 409, "under-six-refused"
    title = Words("六岁以下儿童限制", "Children under six")
    detail = Words(
        "六岁以下儿童的在线复诊须由监护人发起，并由儿科医师接诊；请选择儿科医师或到医院就诊。",
        "For a child under six the guardian asks, and a paediatrician answers; choose one, or go to a hospital.",
    )


class ConsultationStateRefused(Problem):
    status, code = 409, "consultation-state-refused"
    title = Words("当前状态不能进行此操作", "Not possible now")
    detail = Words("咨询当前为“{state}”状态，不能进行此操作。", "The consultation is `{state}`; this is not possible now.")


class ConsultationExpired(Problem):
    status, code = 409, "consultation-expired"
    title = Words("咨询已过期", "The hold has ended")
    detail = Words("未在规定时间内支付，请重新发起咨询。", "It was not paid in time; start anew.")


class AnswerNotDue(Problem):
    status, code = 409, "answer-not-due"
    title = Words("仍在承诺的回复时间内", "Still within the promise")
    detail = Words(
        "医护人员承诺在 {minutes} 分钟内回复，届时未回复可继续等待、更换或退款；现在也可以结束咨询并全额退款。",
        "An answer is promised within {minutes} minutes; until then you can only leave, with all money back.",
    )


class OfferTooDear(Problem):
    status, code = 409, "offer-too-dear"
    title = Words("所选医护人员不可更换", "Cannot change to that one")
    detail = Words(
        "只能更换为同一医院、同类且价格不高于已付金额的医护人员；否则请退款后重新发起。",
        "Change to a clinician of the same hospital and kind, at no more than you paid; else take the refund and start anew.",
    )


class PairBlocked(Problem):
    status, code = 409, "pair-blocked"
    title = Words("双方已不能联系", "Contact is blocked")
    detail = Words("一方已拉黑对方，不能继续联系；如有问题请联系平台客服。", "One of you has blocked the other; ask the platform for help.")


class AcceptFirst(Problem):
    """RULE-76."""

    status, code = 409, "accept-first"
    title = Words("请先接诊", "Accept it first")
    detail = Words("请先核对诊断证明并确认符合复诊条件，再回复患者。", "Check the proof and accept the follow-up before you answer.")


class SignInAgain(Problem):
    """RULE-80."""

    status, code = 403, "sign-in-again"
    title = Words("请重新验证身份", "Verify yourself again")
    detail = Words("接诊前须在 24 小时内完成身份验证，请重新登录后再接诊。", "Sign in again: it must be within 24 hours of accepting.")


class ClinicianNotServing(Problem):
    status, code = 409, "clinician-not-serving"
    title = Words("暂不能接诊", "You may not serve now")
    detail = Words("您的执业资质当前不可接诊，请联系医院。", "Your file does not allow it now; ask your hospital.")


class RoundsUsedUp(Problem):
    status, code = 409, "rounds-used-up"
    title = Words("问答回合已用完", "No rounds left")
    detail = Words("购买的问答回合已用完，请加问后继续。", "The rounds you bought are used up; extend to go on.")


class MessageMalformed(Problem):
    status, code = 422, "message-malformed"
    title = Words("消息内容不正确", "Message not valid")
    detail = Words("消息内容与类型不符或过长，请修改后重发。", "The content does not fit the kind of message, or is too long.")


class RecallTooLate(Problem):
    status, code = 409, "recall-too-late"
    title = Words("已超过撤回时间", "Too late to recall")
    detail = Words("消息只能在发出后 {seconds} 秒内撤回。", "A message can be recalled within {seconds} seconds.")


class TooManyDevices(Problem):
    status, code = 409, "too-many-devices"
    title = Words("设备过多", "Too many devices")
    detail = Words("此咨询登记的设备过多，请使用已登记的设备。", "Too many devices have read this consultation; use one of them.")


class TooManySockets(Problem):
    status, code = 429, "too-many-sockets"
    title = Words("连接的设备过多", "Too many devices connected")
    detail = Words("同一账户最多可同时连接 {most} 台设备，请先关闭其他设备。", "At most {most} devices at a time; close one.")


class DiagnosisForbidden(Problem):
    """RULE-75."""

    status, code = 409, "diagnosis-forbidden"
    title = Words("健康咨询不能作出诊断", "No diagnosis in health advice")
    detail = Words("健康咨询不含诊断，请删去诊断内容或建议患者到医院就诊。", "Health advice holds no diagnosis; remove it.")


class SummaryAlreadyWritten(Problem):
    status, code = 409, "summary-already-written"
    title = Words("小结已提交", "Already written")
    detail = Words("小结已提交，不能修改。", "The summary stands and cannot be changed.")


class AlreadyRated(Problem):
    status, code = 409, "already-rated"
    title = Words("已评价", "Already rated")
    detail = Words("这次咨询已经评价过。", "This consultation was rated before.")


class PriceOutOfLimits(Problem):
    status, code = 422, "price-out-of-limits"
    title = Words("价格超出医院规定", "Outside the hospital's limits")
    detail = Words("价格须在 {min_fen} 至 {max_fen} 分之间。", "The price must be between {min_fen} and {max_fen} fen.")


class ApprovalMissing(Problem):
    """RULE-75, 76."""

    status, code = 409, "approval-missing"
    title = Words("缺少互联网诊疗资质", "No approval for online care")
    detail = Words("医院未取得互联网医院或互联网诊疗许可，不能开放在线复诊。", "The hospital has no approval for online diagnosis.")


class ConsultationOfOtherKind(Problem):
    status, code = 409, "consultation-of-other-kind"
    title = Words("咨询类型不符", "Another kind of consultation")
    detail = Words("只有在线复诊需要接诊确认。", "Only an online follow-up is accepted this way.")


class FlagAlreadyDecided(Problem):
    status, code = 409, "flag-already-decided"
    title = Words("已处理", "Already decided")
    detail = Words("该条审核已处理。", "This flag was decided before.")

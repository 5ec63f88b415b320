"""Reasons to refuse around consents."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ConsentMissing(Problem):
    """`purpose` and `notice_id` say what to show; `patient_id` whom it is about, null for the account itself."""

    status, code = 403, "consent-missing"
    title = Words("需要您的同意", "Your consent is needed")
    detail = Words(
        "此功能需要您先阅读并同意相应的告知书，同意后重试即可；其他功能不受影响。",
        "This feature needs your consent: read the notice, agree, and try again. Everything else goes on.",
    )


class NoticeNotFound(Problem):
    status, code = 422, "notice-not-found"
    title = Words("告知书不存在", "No such notice")
    detail = Words("没有找到该告知书，请刷新后重试。", "There is no such notice; fetch the current ones.")


class NoticeSuperseded(Problem):
    status, code = 409, "notice-superseded"
    title = Words("告知书已更新", "A newer notice was published")
    detail = Words("告知书已有新版本，请阅读新版本后再选择。", "Read the newer version of this notice first.")


class NoticeNotRead(Problem):
    status, code = 422, "notice-not-read"
    title = Words("请先阅读告知书", "Read the notice first")
    detail = Words(
        "阅读时间不正确，请重新打开告知书阅读后再选择。",
        "The time of reading is not plausible; open the notice again and send the `served_at` it came with.",
    )


class WrongNotice(Problem):
    status, code = 422, "wrong-notice"
    title = Words("告知书不适用", "Another notice applies")
    detail = Words(
        "该告知书不适用于此就诊人，未满 14 周岁请阅读儿童个人信息告知书。",
        "This notice is not for this patient; for children under 14 there is one of its own.",
    )


class GuardianNeeded(Problem):
    status, code = 422, "guardian-needed"
    title = Words("需要监护人同意", "A guardian must agree")
    detail = Words(
        "未满 14 周岁的就诊人须由父母或其他监护人同意，请由监护人账户操作并确认监护关系。",
        "For a patient under 14 a parent or guardian must agree, and say that they are one.",
    )


class PatientNeeded(Problem):
    status, code = 422, "patient-needed"
    title = Words("请选择就诊人", "Say for whom")
    detail = Words("该事项按就诊人分别同意，请选择就诊人。", "This consent is given for one patient; say which.")


class PatientNotAsked(Problem):
    status, code = 422, "patient-not-asked"
    title = Words("无需选择就诊人", "Not about a patient")
    detail = Words("该事项由账户本人同意，请不要指定就诊人。", "This consent concerns the account; name no patient.")


class NothingToWithdraw(Problem):
    status, code = 409, "nothing-to-withdraw"
    title = Words("没有可撤回的同意", "Nothing to withdraw")
    detail = Words("您尚未同意该事项，或已经撤回。", "You have not consented to this, or took it back already.")

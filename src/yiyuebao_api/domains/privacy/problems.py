"""Why no copy is made, and why an account is not closed."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ProofInvalid(Problem):
    status, code = 403, "proof-invalid"
    title = Words("验证码不正确", "Wrong code")
    detail = Words("请输入发送到您手机的最新验证码（用途：privacy）。", "Enter the newest code sent to your phone for `privacy`.")


class ExportPending(Problem):
    status, code = 409, "export-pending"
    title = Words("副本正在生成", "A copy is being made")
    detail = Words("您的个人信息副本正在生成，请稍后查看。", "A copy of your data is being made already; look again later.")


class ExportNotReady(Problem):
    status, code = 409, "export-not-ready"
    title = Words("副本尚未生成", "Not made yet")
    detail = Words("个人信息副本尚未生成完毕，请稍后再下载。", "The copy is not finished; fetch it later.")


class ExportExpired(Problem):
    status, code = 410, "export-expired"
    title = Words("副本已过期", "The copy has expired")
    detail = Words("副本只保存 7 天，请重新申请。", "A copy is kept for seven days; ask for a new one.")


class AccountInUse(Problem):
    """`open` names what runs: kind and id."""

    status, code = 409, "account-in-use"
    title = Words("还有进行中的事项", "Something still runs")
    detail = Words("请先完成或取消进行中的预约、咨询和退款，再注销账户。", "End the bookings, consultations and refunds that run first.")


class StaffAccount(Problem):
    status, code = 409, "staff-account"
    title = Words("工作人员账户", "A staff account")
    detail = Words("请先由医院或平台解除您的工作身份，再注销账户。", "The hospital or the platform must end your role first.")

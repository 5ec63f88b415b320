"""Why a payment or refund is refused."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class NotificationNotAuthentic(Problem):
    """Also the answer to WeChat's deliberate wrong-signature probes."""

    status, code = 401, "notification-not-authentic"
    title = Words("通知验签失败", "Notification not authentic")
    detail = Words("通知的签名、时间或证书序列号不正确。", "The signature, time or serial of this notification is not right.")


class WeChatNotBound(Problem):
    status, code = 409, "wechat-not-bound"
    title = Words("尚未绑定微信", "WeChat not bound")
    detail = Words("请先用微信登录一次，再进行支付。", "Sign in with WeChat once before you pay in the mini-program.")


class PaymentRefused(Problem):
    """WeChat understood and said no; the order stays as it is."""

    status, code = 409, "payment-refused"
    title = Words("微信支付拒绝了本次请求", "WeChat Pay refused")
    detail = Words("微信支付暂时无法受理该订单，请稍后再试或联系客服。", "WeChat Pay does not take this order; try later or ask for help.")


class PaymentWindowClosed(Problem):
    status, code = 409, "payment-window-closed"
    title = Words("支付时间已过", "Too late to pay")
    detail = Words("支付时间已过，请重新预约。", "The time to pay is over; book again.")


class MerchantMissing(Problem):
    status, code = 409, "merchant-missing"
    title = Words("医院暂未开通收款", "The hospital cannot take payments yet")
    detail = Words("该医院尚未开通微信收款，请联系医院或选择其他医院。", "This hospital has no WeChat merchant yet; choose another one.")


class RefundTooLarge(Problem):
    status, code = 409, "refund-too-large"
    title = Words("退款金额超出可退金额", "Refund too large")
    detail = Words("退款金额不能超过可退的 {refundable_fen} 分。", "At most {refundable_fen} fen can still be refunded.")

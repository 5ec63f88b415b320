"""Reasons to refuse around signing in."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, TooManyRequests, Unauthenticated, Words


class SmsCodeLimit(TooManyRequests):
    code = "sms-code-limit"
    title = Words("验证码发送过于频繁", "Too many codes")
    detail = Words("验证码发送过于频繁，请 {wait_s} 秒后再试。", "Too many codes; try again in {wait_s} seconds.")

    def __init__(self, *, wait_s: int) -> None:
        super().__init__(retry_after=wait_s, wait_s=wait_s)


class PhoneUnreachable(Problem):
    status, code = 422, "phone-unreachable"
    title = Words("该号码无法接收短信", "No messages to this number")
    detail = Words("该手机号无法接收短信，请核对或更换手机号。", "This number receives no messages; use another.")


class CodeInvalid(Unauthenticated):
    code = "code-invalid"
    title = Words("验证码不正确", "Wrong code")
    detail = Words("验证码不正确或已失效，请核对或重新获取。", "The code is wrong or has ended; ask for a new one.")


class CredentialsInvalid(Unauthenticated):
    """One answer for a wrong password, an unknown login, a wrong second factor and a locked account."""

    code = "credentials-invalid"
    title = Words("账号或密码不正确", "Wrong login or password")
    detail = Words(
        "账号、密码或动态口令不正确。连续失败 5 次后需等待 15 分钟再试。",
        "Login, password or one-time code is wrong. After 5 failures wait 15 minutes before the next try.",
    )


class TotpNeeded(Unauthenticated):
    code = "totp-needed"
    title = Words("需要动态口令", "One-time code needed")
    detail = Words("请输入身份验证器上的 6 位动态口令。", "Enter the six digits your authenticator shows.")


class RefreshTokenInvalid(Unauthenticated):
    code = "refresh-token-invalid"
    title = Words("登录已失效", "Sign-in ended")
    detail = Words("登录已失效，请重新登录。", "This sign-in has ended; sign in again.")


class WeChatCodeInvalid(Unauthenticated):
    code = "wechat-code-invalid"
    title = Words("微信授权已失效", "WeChat code no longer valid")
    detail = Words("微信授权已失效，请重新发起微信登录。", "WeChat refused the code; start again.")


class WeChatBlocked(Problem):
    status, code = 403, "wechat-blocked"
    title = Words("微信限制了该账号", "Blocked by WeChat")
    detail = Words("微信认为该账号存在风险，请使用手机验证码登录。", "WeChat holds this user for a risk; use SMS.")


class PhoneNeeded(Problem):
    status, code = 409, "phone-needed"
    title = Words("需要授权手机号", "Phone number needed")
    detail = Words(
        "该微信首次登录，请授权手机号后再试。",
        "This WeChat user is new here: call again with a new login_code and a phone_code.",
    )


class PhoneNotSupported(Problem):
    status, code = 422, "phone-not-supported"
    title = Words("暂不支持该手机号", "Number not supported")
    detail = Words("目前仅支持中国大陆手机号。", "Only mobile numbers of mainland China can sign in.")


class WeChatBoundElsewhere(Problem):
    status, code = 409, "wechat-bound-elsewhere"
    title = Words("微信已绑定其他账户", "WeChat bound to another account")
    detail = Words("该微信已绑定另一手机号，请用原手机号登录。", "This WeChat user belongs to another number.")


class AnotherWeChatBound(Problem):
    status, code = 409, "another-wechat-bound"
    title = Words("账户已绑定其他微信", "Account has another WeChat")
    detail = Words("该手机号已绑定另一微信，请用原微信或短信登录。", "Use the WeChat user of this number, or SMS.")


class AccountNotActive(Problem):
    status, code = 403, "account-not-active"
    title = Words("账户不可用", "Account not active")
    detail = Words("账户已停用或注销，如有疑问请联系客服。", "The account was suspended or closed; contact support.")


class RoleNotHeld(Problem):
    status, code = 403, "role-not-held"
    title = Words("没有该身份", "Role not held")
    detail = Words("您的账户没有这个身份，请联系所在机构开通。", "Your account does not hold this role.")


class PasswordSessionNeeded(Problem):
    status, code = 403, "password-session-needed"
    title = Words("需要密码登录", "Sign in with a password")
    detail = Words("后台身份须使用账号密码登录。", "This mode is open only to a sign-in with login and password.")


class HospitalNeeded(Problem):
    status, code = 409, "hospital-needed"
    title = Words("请选择机构", "Choose a hospital")
    detail = Words("您在多家机构拥有该身份，请指明 hospital_id。", "Held at several hospitals; name one.")


class DutiesNotSeparate(Problem):
    """Who decides must not be who checks the decisions (等级保护: 三权分立)."""

    status, code = 409, "duties-not-separate"
    title = Words("职责须分离", "Duties must be separate")
    detail = Words(
        "运营与审计须由不同的人担任，请使用另一个账户。", "Operator and auditor must be two people; take another account."
    )


class LoginTaken(Problem):
    status, code = 409, "login-taken"
    title = Words("登录名已被使用", "Login taken")
    detail = Words("该登录名已被使用，请换一个。", "This login is in use; choose another.")

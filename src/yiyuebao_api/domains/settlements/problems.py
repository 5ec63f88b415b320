"""Why a settlement is refused."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class RateTooHigh(Problem):
    status, code = 422, "rate-too-high"
    title = Words("平台费率过高", "Rate too high")
    detail = Words("平台费率最高为 {most_bp} 个基点，超过微信分账上限。", "WeChat lets at most {most_bp} basis points be shared.")

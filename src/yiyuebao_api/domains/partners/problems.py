"""Reasons to refuse around endpoints and deliveries."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class EndpointUrlRefused(Problem):
    status, code = 422, "endpoint-url-refused"
    title = Words("回调地址不可用", "This address cannot be called")
    detail = Words(
        "回调地址须为公网 https 地址，端口 443 或 8443，不含账号密码。",
        "An endpoint must be a public https address on port 443 or 8443 without user or password.",
    )


class TooManyEndpoints(Problem):
    status, code = 409, "too-many-endpoints"
    title = Words("回调地址过多", "Too many endpoints")
    detail = Words(
        "最多可设置 {limit} 个回调地址，请先删除不用的。",
        "A hospital has at most {limit} endpoints; delete one first.",
    )


class EndpointNotActive(Problem):
    status, code = 409, "endpoint-not-active"
    title = Words("回调地址未启用", "The endpoint is not active")
    detail = Words(
        "该回调地址已暂停、停用或删除，请先启用。",
        "This endpoint is paused, disabled or deleted; make it active first.",
    )

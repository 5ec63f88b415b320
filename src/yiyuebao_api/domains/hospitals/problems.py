"""Reasons to refuse around hospitals."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class HospitalStateRefused(Problem):
    status, code = 409, "hospital-state-refused"
    title = Words("医院当前状态不允许", "Not in this state")
    detail = Words("医院当前状态为 {state}，不能进行此操作。", "The hospital is {state}; that does not allow this.")


class HospitalNotReady(Problem):
    status, code = 409, "hospital-not-ready"
    title = Words("开通条件未满足", "Not ready to open")
    detail = Words("医院还不能开通，请先补齐 missing 中列出的内容。", "It cannot open: `missing` says what it lacks.")


class HospitalNotOpen(Problem):
    status, code = 409, "hospital-not-open"
    title = Words("医院未开通服务", "The hospital is not open")
    detail = Words("该医院未开通、已暂停或执业许可证已过期。", "The hospital is not open or its licence has expired.")


class UsccTaken(Problem):
    status, code = 409, "uscc-taken"
    title = Words("统一社会信用代码已登记", "Already registered")
    detail = Words("该统一社会信用代码已有医院登记。", "Another hospital is registered under this social credit code.")


class MerchantTaken(Problem):
    status, code = 409, "merchant-taken"
    title = Words("特约商户号已被使用", "Merchant already in use")
    detail = Words("该特约商户号已绑定其他医院，请核对。", "This sub-merchant number belongs to another hospital.")


class NoLicenceToReview(Problem):
    status, code = 409, "no-licence-to-review"
    title = Words("没有待审核的许可证", "No licence to review")
    detail = Words("该医院没有待审核的执业许可证。", "This hospital has no licence that waits for a decision.")


class LicenceExpired(Problem):
    status, code = 422, "licence-expired"
    title = Words("许可证已过期", "Licence expired")
    detail = Words("执业许可证有效期须晚于今天，请核对后重新填写。", "The licence must be valid beyond today.")

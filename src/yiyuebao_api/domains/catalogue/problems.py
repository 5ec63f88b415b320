"""Reasons to refuse around services."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ServiceNotOffered(Problem):
    status, code = 409, "service-not-offered"
    title = Words("服务未开放", "Not on offer")
    detail = Words("该服务已下架或暂停，请选择其他服务。", "This service is no longer on offer; choose another one.")


class ServiceStateRefused(Problem):
    status, code = 409, "service-state-refused"
    title = Words("服务当前状态不允许", "Not in this state")
    detail = Words("该服务当前状态为 {state}，不能进行此操作。", "The service is {state}; that does not allow this.")


class NothingToPublish(Problem):
    status, code = 409, "nothing-to-publish"
    title = Words("没有待发布的修改", "Nothing to publish")
    detail = Words("该服务没有未发布的修改。", "This service is published and has no edits that wait.")


class ServiceIncomplete(Problem):
    status, code = 422, "service-incomplete"
    title = Words("项目信息不完整", "Incomplete")
    detail = Words("发布前请补齐 missing 中列出的内容。", "Fill in everything named in `missing` before publishing.")


class HomeModeMissing(Problem):
    status, code = 409, "home-mode-missing"
    title = Words("不具备上门服务资质", "No right to visit homes")
    detail = Words(
        "本院或该院区未登记上门（家庭病床/巡诊）服务方式，不能发布上门项目。",
        "The hospital's licence or this site does not include home visits.",
    )


class ItemNotPermitted(Problem):
    status, code = 409, "item-not-permitted"
    title = Words("该地区不允许上门开展此项目", "Not permitted at home there")
    detail = Words("{reason}（项目 {item_code}，{rule}）", "Item {item_code} is not permitted there ({rule}): {reason}")


class CategoryUnknown(Problem):
    status, code = 422, "category-unknown"
    title = Words("服务分类不存在", "No such category")
    detail = Words("没有这个服务分类，请从分类列表中选择。", "There is no such category; choose one of the list.")


class PolicyEndsTooEarly(Problem):
    status, code = 422, "policy-ends-too-early"
    title = Words("结束日期过早", "Ends too early")
    detail = Words("结束日期不能早于生效日期。", "An entry cannot end before it begins.")


class TooManyProposals(Problem):
    status, code = 409, "too-many-proposals"
    title = Words("待审核的建议过多", "Too many proposals")
    detail = Words("您有 {most} 个项目等待医院处理，请稍后再提交。", "{most} of your proposals wait for the hospital; try again later.")

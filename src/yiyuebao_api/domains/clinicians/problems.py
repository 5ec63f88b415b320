"""Reasons to refuse around clinicians."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class ClinicianStateRefused(Problem):
    status, code = 409, "clinician-state-refused"
    title = Words("医护人员当前状态不允许", "Not in this state")
    detail = Words("该医护人员当前状态为 {state}，不能进行此操作。", "The clinician is {state}; that forbids this.")


class ClinicianAlreadyRegistered(Problem):
    status, code = 409, "clinician-already-registered"
    title = Words("该医护人员已登记", "Already registered")
    detail = Words("该手机号的医护人员已在本院登记。", "This phone number is already staff of this hospital.")


class ClinicianUnqualified(Problem):
    status, code = 409, "clinician-unqualified"
    title = Words("资质不符合要求", "Not qualified")
    detail = Words("该医护人员的资质未达到要求，详见 clauses。", "The conditions in `clauses` are not met.")


class TitleOfOtherKind(Problem):
    status, code = 422, "title-of-other-kind"
    title = Words("职称与人员类别不符", "Title of another profession")
    detail = Words("护士须填写护理职称，医生须填写医师职称。", "A nurse needs a nursing title, a doctor a doctor's.")

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


class ClinicianBarred(Problem):
    status, code = 409, "clinician-barred"
    title = Words("该人员被禁止从业", "Barred from serving")
    detail = Words("该人员有不良执业记录，{until}不能登记。", "An adverse record bars this person until {until}.")


class QualificationStateRefused(Problem):
    status, code = 409, "qualification-state-refused"
    title = Words("证书当前状态不允许", "Not in this state")
    detail = Words("该证书当前状态为 {state}，不能进行此操作。", "The certificate is {state}; that forbids this.")


class QualificationAlreadyOpen(Problem):
    status, code = 409, "qualification-already-open"
    title = Words("已有待处理的同类证书", "One is open already")
    detail = Words("您已有一份同类证书在填写或审核中，请修改那一份。", "One of this kind is open already; edit that one.")


class QualificationNotAcceptable(Problem):
    status, code = 409, "qualification-not-acceptable"
    title = Words("证书不符合要求", "Not acceptable")
    detail = Words("证书存在问题，详见 faults。", "The certificate has the problems in `faults`.")


class QualificationOfOtherKind(Problem):
    status, code = 422, "qualification-of-other-kind"
    title = Words("证书与人员类别不符", "Certificate of another profession")
    detail = Words("护士提交护士执业证书，医生提交医师执业证书。", "A nurse submits a nurse's licence, a doctor a doctor's.")


class CertificateNotReadable(Problem):
    """The reader is away, or its calls of the day are used up; the certificate can be typed all the same."""

    status, code = 503, "certificate-not-readable"
    title = Words("暂时无法识别", "Cannot be read just now")
    detail = Words("识别服务暂时不可用，请手动填写证书内容。", "The reader is not available; please type what the certificate says.")

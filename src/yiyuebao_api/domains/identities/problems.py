"""Why an identity is not submitted or decided."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class IdNumberMissing(Problem):
    status, code = 409, "id-number-missing"
    title = Words("缺少身份证号", "ID number missing")
    detail = Words("请先为就诊人填写身份证号，再提交实名认证。", "Add the patient's ID number first, then submit the card.")


class IdentityAlreadyVerified(Problem):
    status, code = 409, "identity-already-verified"
    title = Words("已完成实名认证", "Already verified")
    detail = Words("该就诊人已完成实名认证，无需再次提交。", "This patient's identity is verified; nothing needs to be done.")


class IdentityPending(Problem):
    status, code = 409, "identity-pending"
    title = Words("实名认证审核中", "Waiting for a decision")
    detail = Words("该就诊人的实名认证正在审核，请等待结果。", "A submission of this patient waits for a decision.")


class IdentityDecided(Problem):
    status, code = 409, "identity-decided"
    title = Words("已审核", "Already decided")
    detail = Words("该实名认证已有审核结果，请刷新后查看。", "This submission has been decided; load it again.")


class PatientChanged(Problem):
    status, code = 409, "patient-changed"
    title = Words("就诊人信息已变更", "The patient has changed")
    detail = Words(
        "提交后就诊人的姓名或身份证号已变更，请驳回并请用户重新提交。",
        "Name or ID number changed after the submission; reject it and ask for a new one.",
    )


class SameFileTwice(Problem):
    status, code = 422, "same-file-twice"
    title = Words("正反面为同一文件", "One file for both sides")
    detail = Words("请分别上传身份证的人像面和国徽面。", "Upload the two sides of the card as two pictures.")


class CardWrongSide(Problem):
    status, code = 422, "card-wrong-side"
    title = Words("拍摄的面不对", "The other side is needed")
    detail = Words("这张照片是身份证的另一面，请拍摄{side}。", "This is the other side of the card; photograph the {side}.")


class CardNotRecognised(Problem):
    status, code = 422, "card-not-recognised"
    title = Words("未识别到身份证", "No ID card found")
    detail = Words(
        "照片中没有识别到身份证，请将证件放平、充满画面后重拍。",
        "No ID card was found; lay it flat and fill the picture with it.",
    )


class CardBlurred(Problem):
    status, code = 422, "card-blurred"
    title = Words("照片不清晰", "The picture is not clear")
    detail = Words(
        "照片模糊或光线不好，请在光线充足处重新拍摄。",
        "The picture is blurred or badly lit; photograph it again in good light.",
    )


class CardExpired(Problem):
    status, code = 422, "card-expired"
    title = Words("身份证已过期", "The card has expired")
    detail = Words(
        "身份证有效期截至 {last_day}，请换领新证后再认证。",
        "The card was valid until {last_day}; please renew it first.",
    )


class CardNotReadable(Problem):
    """The reader is away, or its calls of the day are used up; the card can be shown all the same."""

    status, code = 503, "card-not-readable"
    title = Words("暂时无法识别", "Cannot be read just now")
    detail = Words(
        "识别服务暂时不可用，请手动填写后直接提交，由人工审核。",
        "The reader is not available; type what the card says and submit it.",
    )

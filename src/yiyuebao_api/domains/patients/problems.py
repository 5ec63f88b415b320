"""Reasons to refuse around patients and addresses."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class TooManyPatients(Problem):
    status, code = 409, "too-many-patients"
    title = Words("就诊人已达上限", "Too many patients")
    detail = Words("最多可添加 {most} 位就诊人，请先删除不用的。", "{most} patients at most; delete one first.")


class SelfAlreadyListed(Problem):
    status, code = 409, "self-already-listed"
    title = Words("本人已添加", "You are already listed")
    detail = Words("“本人”只能添加一位，请选择其他关系。", "Only one patient can be yourself; choose another relation.")


class PatientAlreadyListed(Problem):
    status, code = 409, "patient-already-listed"
    title = Words("就诊人已存在", "Patient already listed")
    detail = Words("该证件号的就诊人已在您的列表中。", "A patient with this ID number is already in your list.")


class IdentityLocked(Problem):
    status, code = 409, "identity-locked"
    title = Words("实名信息不可修改", "Identity is fixed")
    detail = Words(
        "该就诊人已实名或正在审核，姓名、性别、出生日期和证件号不能修改。",
        "Name, sex, birth date and ID number of a verified patient cannot be edited.",
    )


class IdNumberInvalid(Problem):
    status, code = 422, "id-number-invalid"
    title = Words("证件号不正确", "ID number not valid")
    detail = Words("证件号码不正确，请核对每一位后重新填写。", "Not a valid ID number; check it.")


class IdNumberObsolete(Problem):
    status, code = 422, "id-obsolete"
    title = Words("旧版证件号", "Obsolete ID number")
    detail = Words("15 位的第一代身份证已停用，请填写 18 位号码。", "15-digit numbers ended in 2013; enter 18.")


class IdNumberMismatch(Problem):
    status, code = 422, "id-number-mismatch"
    title = Words("证件号与资料不符", "ID number does not match")
    detail = Words("证件号码与所填性别或出生日期不一致，请核对。", "The ID number says another sex or birth date.")


class BirthDateInFuture(Problem):
    status, code = 422, "birth-date-in-future"
    title = Words("出生日期有误", "Birth date in the future")
    detail = Words("出生日期不能晚于今天。", "A birth date cannot be after today.")


class TooManyAddresses(Problem):
    status, code = 409, "too-many-addresses"
    title = Words("地址已达上限", "Too many addresses")
    detail = Words("最多可添加 {most} 个地址，请先删除不用的。", "{most} addresses at most; delete one first.")


class PlaceOutsideChina(Problem):
    status, code = 422, "place-outside-china"
    title = Words("位置不在服务范围", "Place outside China")
    detail = Words("所选位置不在中国境内，请检查经纬度是否颠倒。", "Not in China; are lat and lng swapped?")


class AddressNotFound(Problem):
    status, code = 422, "address-not-found"
    title = Words("地图上找不到该地址", "Address not found on the map")
    detail = Words("地图上找不到该地址，请补充门牌号或在地图上选点。", "The map does not know it; pick the place.")

"""What the words of the published contract mean and look like: one entry per field name and per value, for every document.

One concept has one word everywhere, so one example and one sentence suffice for all schemas that hold it. What a schema says
itself stands; `Schema.field` is for the few names that mean something else there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What a field of that name looks like.
EXAMPLES: Final[Mapping[str, Any]] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhY2NfMDEifQ.Yk3o", "accident_until": "2027-06-30",
    "accuracy_m": 12.5, "adcode": "460106", "adcode_prefix": "4601", "adcodes": ["460106", "460107"],
    "address": "海南省海口市龙华区金贸西路 21 号", "advice": "两周后复查；皮肤破损时请立即联系。", "allergies": "青霉素",
    "amount_fen": 22000, "answers": {"fever": False}, "approval_no": "琼卫医政〔2026〕18号", "attempts": 1, "barthel": 90,
    "batch_no": "20260811", "birth_date": "1954-04-17", "body": {"text": "您好，医生"}, "broken_seals": [], "buffer_after_min": 15,
    "buffer_before_min": 0, "capacity": 2, "category_code": "chronic", "cautions": "采血后按压 5 分钟，当天避免提重物。",
    "client_msg_id": "m-1764039600-1", "clinical_years": 11, "clinician_name": "李建国", "code": "N05",
    "CategoryOut.code": "chronic", "ProofIn.code": "254791", "QuestionIn.code": "fever", "QuestionOut.code": "fever",
    "complaint": "伤口周围发红两天，想问要不要换药", "condition": "神志清楚，右足第一跖骨头处浅表破损",
    "consumables": "一次性换药包、敷料、手套", "contact_phone": "+8613800138000", "contraindications": "严重出血倾向未评估",
    "data": {"booking_id": "bkg_01kj4y8x3hf7a9cq2v5b6n8m0t"}, "data_kinds": ["姓名", "身份证号", "证件照片"], "day": "2026-11-27",
    "decision": "agree", "delivered_seq": 17, "departments": ["护理部", "内分泌科"], "description": "医院 HIS 的接收地址",
    "detail": "国贸路 45 号 3 栋 1502", "device": "iPhone 15 · 小程序", "device_id": "d-7f3c2a90", "diagnosed_on": "2026-10-08",
    "diagnosis": "2 型糖尿病", "differences": ["holder_name"],
    "disclaimer": "健康咨询仅供参考，不是诊断，不能代替到医院就诊；如情况紧急，请拨打 120。", "distance_m": 22,
    "district": "海南省海口市龙华区", "duration_min": 60, "e_reg_checked_on": "2026-11-20", "e_reg_source": "护士电子化注册系统",
    "education": "教会家属每日检查足部", "effective_from": "2026-01-01", "effective_until": "2027-12-31", "en": "Fever today?",
    "end": "17:30", "entries": 1204, "extension_price_fen": 3000, "extension_quantity": 5, "file": "（文件内容）",
    "findings": "伤口无渗液", "follow_up": "一周后复诊", "head_digest": "9f2c1e77ab10", "head_number": 1204, "hold_minutes": 15,
    "holder_name": "张可悦", "horizon_days": 14, "hospital_name": "海口椰城人民医院", "id_no": "460106********4421",
    "PatientIn.id_no": "460106195404174421", "intro": "检查足背动脉、感觉与皮肤，处理胼胝与浅表破损，指导选鞋与修甲。",
    "issued_on": "2016-05-12", "item_code": "N05", "item_codes": ["N05", "N06"],
    "item_fee_fen": 8000, "kept_fen": 0, "last_error": "ProviderUnavailable",
    "come_within_minutes": 120, "assign_before_start_minutes": 30,
    "last_seq": 17, "last_status": 200, "lat": 20.0268, "late_minutes": 30, "lead_minutes": 240, "liability_until": "2027-06-30",
    "licence_no": "201664651363", "LicenceOut.licence_no": "PDY00123-446010617A1001",
    "LicenceReviewOut.licence_no": "PDY00123-446010617A1001", "licence_valid_until": "2030-11-25",
    "lines": ["护士执业证书", "姓名 张可悦"], "lng": 110.3172, "login": "desk.haikou", "login_code": "081aXyz0w3",
    "malpractice_until": "2027-06-30", "material_fee_fen": 4000, "max_fen": 10000, "max_visits_a_day": 6,
    "medication": "二甲双胍 0.5 g，每日两次", "messages": [1, 3], "min_fen": 1000, "name": "糖尿病足筛查与护理",
    "ClinicianFileOut.name": "张可悦", "ClinicianOut.name": "张可悦", "ClinicianFileIn.name": "张可悦",
    "ClinicianIn.name": "张可悦", "CompanionIn.name": "林晓燕", "CompanionOut.name": "林晓燕", "PatientOut.name": "王秀兰",
    "HospitalBriefOut.name": "海口椰城人民医院", "HospitalOut.name": "海口椰城人民医院", "HospitalFileOut.name": "海口椰城人民医院",
    "HospitalRowOut.name": "海口椰城人民医院", "HospitalIn.name": "海口椰城人民医院", "RegistrationIn.name": "海口椰城人民医院",
    "SiteOut.name": "龙华院区", "SiteIn.name": "龙华院区", "PoolOut.name": "护理一组", "PoolFileOut.name": "护理一组",
    "PoolIn.name": "护理一组", "name_en": "Chronic disease care", "name_zh": "慢病管理", "needs": "每周一次换药",
    "next_cursor": None, "note": "请先打电话，门禁 1502", "notice_version": 1, "number": "201664651363", "VersionOut.number": 1,
    ".number": 1,
    "ExportPartOut.number": 1,
    "opening": "周一至周日 08:00–17:30", "order_no": "B26112593K7Q0T2VXW8MAZ", "overdue": 0,
    "parameters": {
        "timeStamp": "1795642621", "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", "package": "prepay_id=wx251123",
        "signType": "RSA", "paySign": "oR9d8PuhnIc+YZ8cBHFCwfgpaK9gd7vaRvkYD7rthRAZ",
    },
    "password": "Demo-haikou-2026", "patient_born": "1954-04-17", "patient_name": "王秀兰", "patient_sex": "female",
    "phone": "+8613800138000", "HospitalBriefOut.phone": "0898-66660001", "HospitalOut.phone": "0898-66660001",
    "phone_code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144",
    "picture_url": "https://cdn.yiyuebao.example/n05.jpg", "practice_place": "海口椰城人民医院",
    "prerequisites": "有医生开具的检验单", "price_fen": 22000, "quantity": 5, "radius_m": 15000, "rate_bp": 500, "read_seq": 16,
    "reading": {"name": "王秀兰"}, "reason": "临时住院，改期再约", "recipient": "林晓燕",
    "refresh_token": "FIyxkP2e452zZv-jOr37BtbTuiBt2gSbhr9SevDr2cA", "refund_due_fen": 0, "refund_fen": 22000, "refunded_fen": 0,
    "reply": "谢谢您的评价", "request_body": {"type": "booking.paid"}, "request_id": "req_01m8aa857xe1hvfx15sbdz8m9p",
    "response_excerpt": "ok", "review": ["fever"], "risk": "跌倒风险低", "rounds_used": 2, "rule": "contact.phone", "seals": 12,
    "season_from": "2026-01-01", "season_until": "2026-12-31", "sent": 12, "seq": 17, "service_name": "糖尿病足筛查与护理",
    "services": 27, "sha256": "924846bf10906a3a5d1f0c7b7f6a2f2ad2a6c8f1e0b34c6f5a7d9e8c1b2a3f40",
    "site_address": "海南省海口市龙华区金贸西路 21 号", "site_name": "龙华院区", "skills": ["护师及以上"],
    "source_id": "bkg_01kj4y8x3hf7a9cq2v5b6n8m0t", "specialty": "全科与内分泌", "stars": 5, "start": "08:30", "step_minutes": 30,
    "sub_appid": "wx8888888888888888", "sub_mchid": "1900010001", "subject": "idt_01kj4y8x3hf7a9cq2v5b6n8m0t",
    "text_en": "We read your card to fill in the form …", "text_zh": "为填写实名信息，我们将识别您上传的证件照片……",
    "tips": "空腹项目请禁食 8 小时，可少量饮水；请提前备好检验申请单。", "title_en": "Consent to card recognition",
    "title_name": "主管护师", "title_zh": "身份证识别单独同意书", "total_fen": 22000, "totp_secret": "JBSWY3DPEHPK3PXP",
    "training_passed_on": "2026-03-15", "travel_fee_fen": 3000, "unsealed": 4, "url": "https://his.example.com/yiyuebao",
    "uscc": "12460000428200018G", "valid_from": "2026-01-01", "valid_to": "2036-01-01", "valid_until": "2030-11-25", "version": 3,
    "visit_fee_fen": 7000, "visits_that_day": 2, "document_no": "琼卫医政〔2026〕18号", "first_day": "2026-01-01",
    "last_day": "2026-12-31", "ended_why": "试点到期", "why": "试点到期", "accept_within_minutes": 720,
    "authority": "海口市卫生健康委员会", "consultations": 128, "size_bytes": 20480,
    "cursors": {"con_01kj4y8x3hf7a9cq2v5b6n8m0t": 17}, "waiting": 3, "weekday": 1, "words": "护士很细心", "zh": "今天有发热吗？",
    "min_stars": 4.5, "max_price_fen": 30000, "category": "chronic",
}  # fmt: skip

#: What a field of that name means, where its schema does not say so.
WORDS: Final[Mapping[str, str]] = {
    "accepted_at": "医院接单时间 · when the hospital accepted",
    "access_token": "访问令牌 · goes into `Authorization: Bearer …`",
    "account_id": "账户 · whose account",
    "active": "是否有效 · whether it is in force",
    "adcode": "六位行政区划代码 · district code",
    "adcodes": "服务区域的行政区划代码 · districts that are served",
    "allergies": "过敏史 · what the patient must not be given",
    "amount_fen": "金额，分 · fen",
    "answers": "预约前问题的回答，按问题代码 · by code of the question",
    "arrived_at": "到达时间 · when somebody was at the door, or the patient at the hospital",
    "assigned_at": "派单时间 · when the present clinician was assigned",
    "at": "发生时间 · when it happened",
    "attempts": "已尝试次数 · how often it was tried",
    "basis": "依据 · by what right",
    "buffer_after_min": "服务后缓冲，分钟 · kept free afterwards",
    "buffer_before_min": "服务前缓冲，分钟 · kept free before",
    "capacity": "同时可接人数 · places at one time",
    "category_code": "服务分类，见 GET /v1/catalogue/categories · code of the category",
    "client_msg_id": "客户端自编的消息号，重发时不变 · the sender's own number of the message",
    "clinician_id": "医护人员 · the clinician",
    "closes_at": "届时自动结束 · when it ends by itself",
    "companion_required": "是否须有家属陪同 · whether somebody of age must be there",
    "complaint": "主诉 · what the patient asks about",
    "confirms_at": "届时自动确认 · when silence confirms it",
    "contact_phone": "联系电话 · whom the clinician rings",
    "created_at": "创建时间 · when it was made",
    "currency": "币种 · always `CNY`",
    "decided_at": "审核时间 · when it was decided",
    "departed_at": "出发时间 · when somebody set out",
    "detail": "门牌等详细地址 · house and door",
    "distance_m": "距离，米 · metres",
    "district": "省市区 · province, city, district",
    "due_at": "应完成时间 · until when it should be done",
    "duration_min": "服务时长，分钟 · how long it takes",
    "ends_at": "结束时间 · planned end, exclusive",
    "expires_at": "失效时间 · when it ends",
    "file_id": "文件编号 · what POST /v1/files answered",
    "finished_at": "完成时间 · when the service ended",
    "from_state": "原状态 · before",
    "to_state": "新状态 · afterwards",
    "hidden": "是否已撤回或隐藏；此时 `body` 为空 · recalled or withheld: show a place holder",
    "hold_minutes": "占号保留分钟数 · how long an unpaid booking keeps its place",
    "hospital_id": "医院 · the hospital",
    "hospital_name": "医院名称 · the hospital's name",
    "horizon_days": "最远可约天数 · how far ahead can be booked",
    "id": "编号，带前缀 · an opaque string with a prefix",
    "issued_on": "发证日期 · when it was issued",
    "items": "本页内容 · this page",
    "item_fee_fen": "项目费，分 · for the service itself",
    "kept_fen": "不退部分，分 · what would be kept",
    "last_seq": "最后一条消息的 seq · of the newest message",
    "lat": "纬度，GCJ-02 · latitude",
    "late_minutes": "医护迟到多少分钟后可全额取消 · so late, everything comes back",
    "lead_minutes": "至少提前多少分钟预约 · to be booked so long before",
    "left": "剩余号源 · places left",
    "lines": "费用明细 · the price, part by part",
    "lng": "经度，GCJ-02 · longitude",
    "material_fee_fen": "耗材费，分 · for what is used up",
    "medication": "正在使用的药物 · what the patient takes",
    "next_cursor": "下一页游标，末页为 null · null on the last page",
    "note": "备注 · what the patient wrote",
    "notice_id": "告知书版本 · which version of a notice",
    "notice_version": "告知书版本号 · its number",
    "order_no": "给人看的单号 · the number for people",
    "paid_at": "支付时间 · when the money had arrived",
    "parameters": "交给 `wx.requestPayment` 或 App SDK，原样传入 · hand it to the phone as it is",
    "patient_id": "就诊人 · the patient",
    "patient_name": "就诊人姓名 · the patient's name",
    "payment_id": "支付单，未支付时为 null · null before anybody asked to pay",
    "phone": "电话；显示给他人时打码 · masked for those who need not ring",
    "picture_url": "图片 · a picture to show",
    "place": "上门或到院 · at home or at the hospital",
    "prerequisites": "预约前提 · what must be there before",
    "price_fen": "价格，分 · fen",
    "quantity": "回合数或分钟数 · rounds or minutes, by `measure`",
    "radius_m": "服务半径，米 · how far somebody comes",
    "rate_bp": "平台比例，万分之一 · the platform's share: 500 is 5 %",
    "read_at": "阅读时间；POST 时填告知书的 `served_at` · null while unread; when agreeing, the notice's `served_at`",
    "reason": "原因 · why, in words",
    "recipient": "收件人/联系人 · who opens the door",
    "refresh_expires_at": "刷新令牌失效时间 · end of the refresh token",
    "refresh_token": "刷新令牌，只能用一次 · works once",
    "refund_due_fen": "应退金额，分 · promised back",
    "refund_fen": "可退金额，分 · what would come back",
    "refunded_fen": "已退到账，分 · arrived back",
    "requires_order": "是否需医嘱或检验单 · whether a doctor's order must be shown",
    "season_from": "开放起始日，null 为不限 · first day it is offered",
    "season_until": "开放截止日，null 为不限 · last day it is offered",
    "sent_at": "发送时间 · when it was stored",
    "seq": "咨询内的序号，从 1 起不间断 · its place in the consultation: 1, 2, 3 …",
    "service_id": "服务项目 · the service",
    "service_name": "服务名称 · its name when it was booked",
    "sha256": "所读文本的 SHA-256 · digest of the text that was read",
    "site_id": "院区 · the site",
    "skills": "人员要求 · who may do it",
    "stage": "上门进度 · how far the visit is",
    "started_at": "开始时间 · when the service began",
    "starts_at": "开始时间 · planned start",
    "state": "状态 · where it is in its life",
    "submitted_at": "提交时间 · when it was handed in",
    "subject_id": "所涉对象编号 · what it is about",
    "subject_kind": "所涉对象类型 · kind of thing it is about",
    "tips": "温馨提示 · to know before",
    "cautions": "注意事项 · to mind afterwards",
    "total_fen": "合计，分 · the sum of the lines",
    "travel_fee_fen": "交通费，分 · for the way",
    "unit": "计价单位 · what one price is for",
    "version": "版本号，即 ETag 中的数字 · counts edits: the number in the ETag",
    "visit_fee_fen": "上门费，分 · for coming",
    "visit_stage": "上门进度，未派单为 null · null until somebody was assigned",
    "wechat_bound": "是否已绑定微信 · whether WeChat was bound",
}

#: What each value of an enumeration means, for labels in an app.
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "AccrualState": {"pending": "争议期内", "released": "已释放"},
    "Actor": {"patient": "患者", "clinician": "医护", "system": "系统"},
    "ActorKind": {"patient": "患者", "desk": "医院后台", "clinician": "医护", "system": "系统"},
    "AdverseKind": {"licence_revoked": "执业证书被吊销", "adverse_practice": "不良执业行为", "violation": "违规"},
    "Answer": {"given": "已同意", "refused": "未同意", "withdrawn": "已撤回"},
    "ArrivalReason": {
        "gps_unreliable": "定位不准", "address_misplaced": "地址坐标有误", "no_access": "无法进入小区", "met_elsewhere": "另约地点",
        "other": "其他",
    },
    "Audience": {"general": "一般告知", "child": "不满十四周岁未成年人的监护人"},
    "Basis": {
        "booking": "预约", "contract": "签约", "consultation": "咨询", "followup": "随访", "share": "患者分享",
        "break_glass": "紧急查看",
    },
    "Blocker": {
        "not_verified": "未通过审核", "adverse_record": "有不良记录", "verification_stale": "审核已过期",
        "identity_not_verified": "未实名", "licence_not_approved": "执业证书未审核通过", "licence_expired": "执业证书已过期",
        "not_registered_here": "未在本院注册或备案", "not_in_register": "注册系统查无", "too_few_years": "临床年限不足",
        "title_too_low": "职称不够", "title_not_approved": "职称证书未审核通过", "not_trained": "未完成培训",
        "liability_uninsured": "无责任险", "malpractice_uninsured": "无医责险", "accident_uninsured": "无意外险",
        "busy": "时间冲突", "on_leave": "请假", "fully_booked": "当日已满", "other_sex": "与所选性别不符",
        "item_not_granted": "未获授权此项目",
    },
    "BookingState": {
        "held": "待支付，号源保留中", "paid": "已支付，待医院接单", "accepted": "已接单，待派单", "assigned": "已派单",
        "under_way": "服务中", "done": "已完成，待确认", "closed": "已结束", "expired": "超时未支付", "cancelled": "已取消",
        "refused": "医院拒单",
    },
    "CardRisk": {
        "copy": "复印件", "temporary": "临时身份证", "screen": "翻拍屏幕", "edited": "疑似修改", "covered": "有遮挡",
        "incomplete": "不完整",
    },
    "CardSide": {"front": "人像面", "back": "国徽面"},
    "Channel": {"mini": "微信小程序", "app": "App"},
    "Choice": {"wait": "继续等待", "change": "换人", "refund": "退款"},
    "ClinicianKind": {"nurse": "护士", "doctor": "医师"},
    "ClinicianState": {
        "draft": "草稿", "submitted": "审核中", "verified": "已通过", "rejected": "未通过", "suspended": "已停用",
        "exited": "已退出",
    },
    "CodePurpose": {"login": "登录", "privacy": "导出个人信息或注销"},
    "Confirmer": {"patient": "患者确认", "silence": "超时自动确认"},
    "Consequence": {"block": "不可预约", "review": "可预约，由医院审核", "emergency": "立即拨打 120"},
    "ConsultKind": {"health_advice": "健康咨询", "online_follow_up": "在线复诊"},
    "ConsultState": {
        "awaiting_payment": "待支付", "waiting": "待回复", "active": "进行中", "ended": "已结束", "expired": "超时未支付",
        "refunded": "已退款",
    },
    "CoordType": {"gcj02": "国测局坐标（高德、腾讯）", "wgs84": "GPS 原始坐标", "bd09": "百度坐标"},
    "Decision": {"home_ok": "适合上门", "to_hospital": "建议到院", "reject": "不适合"},
    "DeliveryState": {"pending": "待送达", "succeeded": "已送达", "failed": "已放弃", "replaced": "已由新的投递取代"},
    "Dependence": {"able": "自理", "light": "轻度依赖", "moderate": "中度依赖", "heavy": "重度依赖"},
    "Doubt": {
        "not_read": "未能识别", "ocr_unavailable": "识别服务不可用", "ocr_over_quota": "识别额度已用完", "ocr_refused": "识别被拒",
        "wrong_side": "面不对", "not_a_card": "不是身份证", "blurred": "模糊", "bad_light": "光线不佳", "copy": "复印件",
        "temporary": "临时身份证", "screen": "翻拍屏幕", "edited": "疑似修改", "covered": "有遮挡", "incomplete": "不完整",
        "name_mismatch": "姓名不一致", "number_mismatch": "号码不一致", "sex_mismatch": "性别不一致",
        "birth_date_mismatch": "出生日期不一致", "expired": "已过期", "validity_unreadable": "有效期无法识别",
        "validity_implausible": "有效期不合理", "number_elsewhere": "号码已在其他账户", "register_mismatch": "登记系统不一致",
        "register_unavailable": "登记系统不可用",
    },
    "Eligibility": {
        "aged_or_disabled": "高龄或失能", "rehabilitation": "康复期", "terminal": "终末期", "discharged": "出院后",
        "impaired_mobility": "行动不便", "mother_or_infant": "母婴",
    },
    "EndReason": {
        "unpaid": "未支付", "patient": "患者结束", "clinician": "医护结束", "time_up": "时间用完", "rounds_up": "回合用完",
        "idle": "长时间无消息", "no_answer": "超时未回复", "declined": "医护未接诊", "unfit": "不适合在线",
        "payment_unusable": "支付无效", "pilot_over": "首诊试点结束",
    },
    "EndpointState": {"active": "启用", "paused": "暂停", "disabled": "已停用"},
    "EventType": {
        "booking.paid": "已支付", "booking.accepted": "已接单", "booking.assigned": "已派单", "booking.rescheduled": "已改期",
        "booking.cancelled": "已取消", "visit.departed": "已出发", "visit.arrived": "已到达", "visit.started": "已开始",
        "visit.finished": "已完成", "visit.confirmed": "已确认", "refund.succeeded": "退款到账", "consultation.paid": "咨询已支付",
        "consultation.ended": "咨询已结束", "consultation.refunded": "咨询已退款", "endpoint.test": "测试",
    },
    "ExceptionKind": {"closed": "停诊", "open": "加开"},
    "ExportScope": {"acts": "做了什么，不含内容", "records": "另含在线复诊的内容"},
    "RegulatorExportState": {"pending": "生成中", "ready": "可下载", "expired": "已过期"},
    "ExportState": {"pending": "生成中", "ready": "可下载", "expired": "已过期"},
    "Fate": {"erased": "删除", "emptied": "去标识", "kept": "依法保留"},
    "Fault": {
        "no_photo": "没有照片", "unreadable": "看不清", "wrong_document": "证件不对", "altered": "疑似修改",
        "name_differs": "姓名不一致", "number_malformed": "编号格式不对", "number_taken": "编号已被使用", "no_last_day": "缺有效期",
        "past_last_day": "已过期", "no_title": "缺职称", "not_registered_here": "未在本院注册", "not_in_register": "注册系统查无",
    },
    "FileKind": {"picture": "图片", "document": "PDF"},
    "FilePurpose": {
        "id_card": "身份证", "licence": "执业证书", "hospital_licence": "医疗机构执业许可证", "prescription": "医嘱或检验单",
        "disease_proof": "诊断证明", "wound_photo": "伤口照片", "signature": "手写签名", "record": "护理记录",
        "consultation_image": "咨询图片", "consultation_file": "咨询文件", "portrait": "头像",
    },
    "FlagKind": {"contact": "留联系方式", "abuse": "辱骂", "illegal": "违法", "report": "用户举报"},
    "FlagState": {"open": "待处理", "dismissed": "不成立", "upheld": "成立"},
    "GranteeKind": {"clinician": "医护", "hospital": "医院"},
    "HospitalLevel": {
        "tertiary_a": "三级甲等", "tertiary_b": "三级乙等", "secondary_a": "二级甲等", "secondary_b": "二级乙等", "primary": "一级",
        "community": "社区卫生服务中心", "unrated": "未定级",
    },
    "HospitalState": {"draft": "未开通", "open": "开通", "suspended": "暂停"},
    "IdentityState": {"submitted": "审核中", "verified": "已通过", "rejected": "未通过"},
    "JobState": {"ready": "待执行", "running": "执行中", "dead": "已失败"},
    "Keeping": {
        "nothing_paid": "尚未支付", "not_accepted": "医院未接单，全退", "in_time": "提前取消，全退", "late": "临近取消",
        "departed": "已出发，保留上门费与交通费", "clinician_late": "医护迟到，全退", "hospital_refused": "医院拒单，全退",
        "unsigned": "未签署知情同意书",
    },
    "LedgerAccount": {
        "clearing": "医院商户号", "unearned": "待确认", "hospital_share": "医院应得", "platform_share": "平台应得",
        "hospital_released": "医院可用", "platform_released": "平台可用",
    },
    "LicenceReviewState": {"pending": "待审核", "approved": "已通过", "refused": "未通过"},
    "LicenceWarning": {
        "licence_no_unusual": "许可证号不常见", "licence_no_org_mismatch": "许可证号与机构代码不一致",
        "org_code_check_failed": "机构代码校验未通过",
    },
    "Listing": {"positive": "可上门", "negative": "不可上门", "exception": "例外"},
    "Measure": {"rounds": "按回合", "minutes": "按分钟"},
    "MessageKind": {"text": "文字", "image": "图片", "file": "文件", "card": "卡片", "recall": "撤回标记"},
    "Method": {"tap": "点击", "signature": "手写签名", "desk": "当面"},
    "Missing": {
        "intro": "缺介绍", "tips": "缺提示", "cautions": "缺注意事项", "risk_grade": "缺风险等级", "clinical": "缺是否诊疗",
        "duration_min": "缺时长", "skills": "缺人员要求", "prerequisites": "缺前提", "contraindications": "缺禁忌",
        "consumables": "缺耗材", "medical_waste": "缺医废处理", "price": "缺上门价格", "hospital_price": "缺到院价格",
    },
    "Mode": {"patient": "患者", "clinician": "医护", "desk": "医院后台", "operator": "平台运营", "auditor": "审计"},
    "OpenThing": {"booking": "预约", "consultation": "咨询", "refund": "退款"},
    "Part": {"main": "原图", "thumbnail": "缩略图", "original": "原始文件，不提供"},
    "PaymentState": {"created": "已创建", "prepaid": "待支付", "succeeded": "已支付", "closed": "已关闭"},
    "Place": {"home": "上门", "hospital": "到院", "both": "上门或到院"},
    "PostingKind": {"payment": "收款", "refund": "退款", "accrual": "计提", "reversal": "冲回", "release": "释放"},
    "Practice": {"registered": "注册在本院", "filed": "多机构备案"},
    "Presence": {"online": "在线", "busy": "忙", "offline": "离线"},
    "PriceKind": {"visit_fee": "上门费", "item_fee": "项目费", "material_fee": "耗材费", "travel_fee": "交通费"},
    "Purpose": {
        "terms_and_privacy": "用户协议与隐私政策", "sensitive_health_data": "健康信息处理", "id_card_recognition": "身份证识别",
        "location": "位置", "share_with_hospital": "向医院提供个人信息", "online_consultation": "在线咨询知情同意",
        "marketing": "营销信息",
    },
    "QualificationKind": {
        "nurse_licence": "护士执业证书", "doctor_licence": "医师执业证书", "certificate": "资格证书", "title": "职称证书",
    },
    "QualificationState": {"draft": "草稿", "submitted": "审核中", "approved": "已通过", "rejected": "未通过", "expired": "已过期"},
    "QueueKind": {
        "identity": "实名", "qualification": "证书", "clinician": "医护", "hospital_licence": "医院许可证",
        "consultation_flag": "咨询举报", "dead_letter": "失败任务",
    },
    "RealName": {"unverified": "未实名", "pending": "审核中", "verified": "已实名", "rejected": "未通过"},
    "RefundState": {"requested": "已申请", "processing": "处理中", "succeeded": "已到账", "abnormal": "异常", "closed": "已关闭"},
    "Relation": {
        "self": "本人", "spouse": "配偶", "child": "子女", "parent": "父母", "other_guardian": "其他监护人", "authorised": "受托人",
    },
    "Requirement": {
        "licence_missing": "缺许可证", "licence_expired": "许可证已过期", "home_mode_unknown": "未说明能否上门",
        "site_missing": "缺院区", "merchant_missing": "缺商户号",
    },
    "RiskGrade": {"L": "低", "M": "中", "H": "高"},
    "Scenario": {"chronic": "慢病管理", "postop": "术后康复", "tcm": "中医诊疗", "maternal": "母婴护理", "general": "其他"},
    "Scope": {"care": "本次服务所需", "records": "健康档案", "vitals": "体征数据"},
    "SenderRole": {"patient": "患者", "clinician": "医护"},
    "ServiceState": {"draft": "草稿", "published": "已上架", "suspended": "已暂停", "retired": "已下架"},
    "Sex": {"male": "男", "female": "女"},
    "SignInMethod": {"sms": "短信验证码", "wechat": "微信", "password": "密码"},
    "Signer": {"self": "本人", "guardian": "监护人", "representative": "受托人"},
    "Sort": {"distance": "距离最近", "price": "价格最低", "soonest": "最早可约", "rating": "评价最高"},
    "Stage": {
        "assigned": "已派单", "departed": "已出发", "arrived": "已到达", "started": "服务中", "finished": "已完成，待确认",
        "confirmed": "已确认", "cancelled": "已取消",
    },
    "Title": {
        "nurse": "护士", "senior_nurse": "护师", "supervisor_nurse": "主管护师", "deputy_chief_nurse": "副主任护师",
        "chief_nurse": "主任护师", "resident_doctor": "住院医师", "attending_doctor": "主治医师",
        "deputy_chief_doctor": "副主任医师", "chief_doctor": "主任医师",
    },
    "VisitStage": {
        "assigned": "已派单", "departed": "已出发", "arrived": "已到达", "started": "服务中", "finished": "已完成，待确认",
        "confirmed": "已确认",
    },
}  # fmt: skip


def explain(schemas: Mapping[str, dict[str, Any]], *, beside_references: bool = True) -> None:
    """Complete published schemas with the words and examples they lack; AsyncAPI allows none beside a reference."""
    for name, schema in schemas.items():
        if "enum" in schema and (values := VALUES.get(_twin(name))):
            told = "\n".join(f"- `{value}`：{values[value]}" for value in schema["enum"] if value in values)
            schema["description"] = f"{schema.get('description', '')}\n\n{told}".strip()
        for field, shape in schema.get("properties", {}).items():
            if beside_references or "$ref" not in shape:
                _explain(name, field, shape)


def _explain(name: str, field: str, shape: dict[str, Any]) -> None:
    if "description" not in shape and field in WORDS:
        shape["description"] = WORDS[field]
    if not has_example(shape):
        shown = EXAMPLES.get(f"{name}.{field}", EXAMPLES.get(field, ...))
        if shown is not ...:
            shape["examples"] = [shown]


def has_example(shape: Mapping[str, Any]) -> bool:
    """Whether a reader sees what a value looks like: shown, listed, yes or no, or told where it refers to."""
    if any(key in shape for key in ("$ref", "examples", "default", "const", "enum")) or shape.get("type") in ("boolean", "null"):
        return True
    if "items" in shape:
        return has_example(shape["items"])
    choices = shape.get("anyOf") or shape.get("oneOf") or shape.get("allOf") or []
    return bool(choices) and all(has_example(each) for each in choices)


def _twin(name: str) -> str:
    """Conditions of the gate are among the reasons not to send somebody, and have the same words."""
    return {"Clause": "Blocker"}.get(name, name)

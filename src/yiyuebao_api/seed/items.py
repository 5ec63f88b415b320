"""The items hospitals offer in development: the 27 home-care items of the domain rules and three for hospital visits.

Durations, risk grades, prerequisites and orders follow Appendix 1 of the rules; the prices are plausible, not official.
"""

from __future__ import annotations

from dataclasses import dataclass

from yiyuebao_api.domains.catalogue.rules import LISTED_AT_HOME, Content, Place, RiskGrade
from yiyuebao_api.kernel.money import Fen

_LOW, _MEDIUM, _HIGH = RiskGrade.LOW, RiskGrade.MEDIUM, RiskGrade.HIGH
_HOME, _BOTH, _HOSPITAL = Place.HOME, Place.BOTH, Place.HOSPITAL


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its code and category, and what its first version says before a hospital sets its prices."""

    code: str
    category: str
    content: Content


#: What riskier items, and the care of a diabetic foot, ask before they are booked at home (RULE-39 to RULE-43).
_SCREENING = {
    "eligibility": ["aged_or_disabled", "rehabilitation", "discharged", "impaired_mobility"],
    "questions": [
        {"code": "emergency", "zh": "现在是否有胸痛、呼吸困难、意识不清或大量出血？",
         "en": "Chest pain, hard breathing, confusion or heavy bleeding now?", "failing": True, "then": "emergency"},
        {"code": "infectious", "zh": "是否处于传染病的传染期？", "en": "Infectious at present?", "failing": True, "then": "block"},
        {"code": "recent_stay", "zh": "近一个月是否住过院？", "en": "In hospital within a month?", "failing": True, "then": "review"},
    ],
    "history_required": True, "companion_required": False, "assessment_required": True, "proofs": [],
}  # fmt: skip
#: Items that ask for more than their risk does: what must be shown.
_PROOFS = {"N03": ["prescription"], "N04": ["prescription"], "N05": ["prescription"], "N14": ["wound_photo"]}


def _item(
    code: str, category: str, place: Place, minutes: int, risk: RiskGrade, yuan: tuple[int, int, int, int], *,
    intro: str, tips: str, cautions: str, before: str, against: str, uses: str, name: str | None = None,
    order: bool = False, waste: bool = True, clinical: bool = True, skills: tuple[str, ...] = ("护师及以上",),
) -> Item:  # fmt: skip
    visit, item, material, travel = (Fen(part * 100) for part in yuan)
    content = Content(
        name=name or LISTED_AT_HOME[code], place=place, intro=intro, tips=tips, cautions=cautions,
        duration_min=minutes, buffer_before_min=0, buffer_after_min=15 if risk is _HIGH else 0, lead_minutes=240,
        risk_grade=risk, clinical=clinical, skills=skills, prerequisites=before, contraindications=against,
        consumables=uses, medical_waste=waste, requires_order=order, visit_fee_fen=visit, item_fee_fen=item,
        material_fee_fen=material, travel_fee_fen=travel,
        screening=_SCREENING | {"proofs": _PROOFS.get(code, [])} if place is not _HOSPITAL and (risk is _HIGH or code in _PROOFS)
        else None,
    )  # fmt: skip
    return Item(code, category, content)


#: Prices in yuan: visit, item, material, travel.
ITEMS: tuple[Item, ...] = (
    _item("N01", "chronic", _HOME, 30, _LOW, (60, 20, 15, 30), order=True,
        intro="护士携带采血耗材上门，采集静脉血或尿、便等标本，低温箱 2 小时内送检，结果可在手机查看。",
        tips="空腹项目请禁食 8 小时，可少量饮水；请提前备好检验申请单。", cautions="采血后按压 5 分钟，当天避免提重物。",
        before="有医生开具的检验单；标本 2 小时内可送达。", against="采血部位感染、严重出血倾向未评估。",
        uses="采血针、真空管、消毒棉签、标本转运箱。"),
    _item("N02", "chronic", _HOME, 60, _MEDIUM, (60, 15, 10, 30), order=True,
        intro="按处方上门进行胰岛素、抗凝药等皮下或肌肉注射，注射后留观 30 分钟。",
        tips="请备好处方、药品及购药票据，药品按说明冷藏。", cautions="需皮试或首次使用的药物不能上门注射。",
        before="处方写明药名、剂量、途径和日期；药品有批号且在有效期内。", against="过敏史不明、需皮试药物、首次用药。",
        uses="注射器、针头、消毒用品、锐器盒。"),
    _item("N03", "chronic", _HOME, 60, _HIGH, (80, 80, 60, 30), order=True, skills=("主管护师及以上", "管路护理"),
        intro="为长期鼻饲者更换胃管、确认位置并指导家属鼻饲，减少误吸。",
        tips="请告知上次更换日期，操作前 4 小时停止鼻饲，家属需在场。", cautions="出现呛咳、呼吸困难请立即拨打 120。",
        before="有医嘱，已知上次更换日期，家属在场。", against="食管静脉曲张、近期食管或胃手术、首次置管。",
        uses="胃管、润滑剂、固定贴、听诊器。"),
    _item("N04", "chronic", _HOME, 60, _HIGH, (80, 70, 55, 30), order=True, skills=("主管护师及以上", "管路护理"),
        intro="为长期留置导尿者无菌更换尿管和集尿袋，观察尿液并指导日常护理。",
        tips="请提前饮水 300 毫升并告知上次更换日期。", cautions="发热、血尿或下腹胀痛请及时就医。",
        before="有医嘱，已知性别与上次更换日期。", against="急性尿潴留首次导尿、尿道损伤、前列腺急性炎症。",
        uses="导尿包、导尿管、集尿袋、无菌手套。"),
    _item("N05", "postop", _BOTH, 45, _HIGH, (80, 90, 45, 30), order=True, skills=("PICC 维护资质",),
        intro="持证护士为带管出院者维护 PICC 或输液港：冲封管、换接头、换敷料、测臂围。",
        tips="请备好导管维护手册，穿宽松上衣，维护前清洁手臂。", cautions="置管侧红肿疼痛、发热或导管移位请先到院就诊。",
        before="有导管维护手册，距上次维护不超过 7 天。", against="导管断裂、堵塞、疑似导管相关感染。",
        uses="PICC 维护包、无针接头、预充冲管液、透明敷料。"),
    _item("N06", "general", _HOME, 60, _MEDIUM, (70, 90, 60, 30), skills=("伤口护理",),
        intro="评估压力性损伤分期，清洁创面、选择敷料，并指导翻身与减压。",
        tips="请在下单前上传 7 天内的创面照片。", cautions="创面有恶臭、大量渗液或发热时请就医。",
        before="有 7 天内照片，分期 1—4 期，不超过 3 处、每处不超过 10×10 厘米。", against="需深部清创、活动性出血。",
        uses="生理盐水、泡沫敷料、水胶体敷料、换药包。"),
    _item("N07", "postop", _BOTH, 45, _MEDIUM, (60, 50, 30, 30), order=True, skills=("伤口护理",),
        intro="为术后患者换药、观察愈合情况，到期拆除缝线并指导沐浴与活动。",
        tips="请上传伤口照片和出院小结。", cautions="红肿热痛加重或渗脓请到院处理。",
        before="缝线不超过 10 针、伤口不超过 5 处，年龄满 5 岁。", against="伤口感染、裂开或需要清创。",
        uses="换药包、拆线剪、无菌敷料。"),
    _item("N08", "postop", _HOME, 60, _MEDIUM, (70, 80, 65, 30), skills=("造口护理",),
        intro="更换造口袋，处理造口周围皮肤，教会家属日常更换与饮食。",
        tips="请备好在用的造口袋型号，空腹或餐后 2 小时进行。", cautions="造口发黑、出血不止请立即就医。",
        before="已知造口类型与时间。", against="造口坏死、肠梗阻。", uses="造口底盘、造口袋、防漏膏、皮肤保护粉。"),
    _item("N09", "general", _HOME, 60, _HIGH, (90, 90, 55, 30), order=True, skills=("主管护师及以上", "气道护理"),
        intro="为气管切开者清洁切口、更换内套管、湿化与吸痰，并指导家属应急处理。",
        tips="家中需备有吸引器和备用套管。", cautions="呼吸困难、血氧下降请立即拨打 120。",
        before="有医嘱，家中有吸引装置，家属受过培训。", against="首次更换外套管、气道出血、生命体征不稳。",
        uses="吸痰管、气切换药包、生理盐水。"),
    _item("N10", "general", _HOME, 45, _MEDIUM, (60, 50, 25, 30), order=True,
        intro="为便秘、粪便嵌塞者灌肠或人工取便，并指导饮食与腹部按摩。",
        tips="请备好护理垫，操作前排空膀胱。", cautions="腹痛剧烈、便血请立即就医。",
        before="有医嘱，近期无消化道出血。", against="肠梗阻、消化道出血、妊娠、严重心脏病。", uses="灌肠包、润滑剂、护理垫。"),
    _item("N11", "chronic", _HOME, 45, _HIGH, (80, 60, 50, 30), order=True, skills=("管路护理",),
        intro="为长期留置导尿者冲洗膀胱，清除沉淀，减少堵管与感染。",
        tips="请告知近期尿色和尿量。", cautions="冲洗中腹痛、出血应立即停止并就医。", before="有医嘱写明冲洗液与剂量。",
        against="膀胱出血、急性感染伴高热。", uses="冲洗液、冲洗器、无菌手套。"),
    _item("N12", "chronic", _HOME, 30, _LOW, (50, 30, 10, 30), order=True, waste=False,
        intro="指导慢阻肺、哮喘患者正确雾化与家庭氧疗，评估吸入技术。",
        tips="请备好家用雾化器或制氧机及医生处方。", cautions="氧疗时远离明火，不可自行调高流量。",
        before="家中有设备和处方。", against="气胸未处理、大咯血。", uses="雾化面罩或咬嘴。"),
    _item("N13", "chronic", _BOTH, 30, _LOW, (50, 20, 10, 30),
        intro="上门监测血糖、血压，评估用药与饮食，建立家庭记录并传入健康档案。",
        tips="请准备近两周的自测记录和在服药物。", cautions="血糖低于 3.9 mmol/L 请先进食再测。",
        before="无特殊要求。", against="急症症状应直接就医。", uses="采血针、血糖试纸、消毒棉片。"),
    _item("N14", "chronic", _HOME, 60, _MEDIUM, (70, 80, 40, 30), skills=("糖尿病专科护理",),
        intro="检查足背动脉、感觉与皮肤，处理胼胝与浅表破损，指导选鞋与修甲。",
        tips="请上传双足照片，操作前温水清洁双足。", cautions="足部发黑、溃烂或发热请尽快到院。",
        before="有双足照片，血糖近期监测记录。", against="湿性坏疽、需要深部清创。", uses="10 克尼龙丝、换药包、保湿敷料。"),
    _item("N15", "general", _HOME, 60, _LOW, (50, 60, 15, 20), clinical=False, waste=False, skills=("护理员或护士",),
        intro="为卧床老人做口腔护理、会阴护理、床上洗头与擦浴，保持清洁舒适。",
        tips="请备好毛巾、换洗衣物，室温保持 24℃ 以上。", cautions="皮肤破损、管路固定不稳请提前告知。",
        before="生命体征平稳。", against="急性期病情不稳。", uses="一次性口护包、护理垫。"),
    _item("N16", "postop", _BOTH, 60, _MEDIUM, (60, 120, 0, 30), waste=False, skills=("康复治疗",),
        intro="按医生或治疗师的方案，进行关节置换、骨折术后的活动度与肌力训练。",
        tips="请准备出院小结和康复方案，穿宽松衣裤。", cautions="训练中剧痛、肿胀加重应停止并联系医生。",
        before="有康复方案与负重限制说明。", against="骨折未固定、下肢深静脉血栓。", uses="弹力带、量角器。"),
    _item("N17", "postop", _BOTH, 60, _MEDIUM, (60, 130, 0, 30), waste=False, skills=("康复治疗", "吞咽评估"),
        intro="为脑卒中后患者进行偏瘫肢体良肢位、站立平衡与吞咽训练。",
        tips="训练前 1 小时不要进食，家属请在场学习。", cautions="呛咳、血压升高应立即停止。",
        before="有康复方案，已做误吸风险评估。", against="生命体征不稳、重度误吸风险未处置。", uses="吞咽训练冰棒、压舌板。"),
    _item("N18", "tcm", _BOTH, 45, _MEDIUM, (50, 80, 25, 30), skills=("中医护理",), waste=False,
        intro="按中医医嘱取穴施灸，温通经络，适用于虚寒腹痛、关节冷痛等。",
        tips="餐后 1 小时进行，室内通风并移开易燃物。", cautions="灸后避免受凉，皮肤起泡请勿自行刺破。",
        before="有中医医嘱，皮肤完整，温度觉正常。", against="发热、孕妇腹部及腰骶部、皮肤破损。", uses="艾条、灸盒、防火垫。"),
    _item("N19", "tcm", _BOTH, 30, _MEDIUM, (50, 70, 15, 30), skills=("中医护理",), waste=False,
        intro="按中医医嘱拔罐或刮痧，缓解颈肩腰背酸痛与外感不适。",
        tips="空腹或过饱不宜，操作后 4 小时内不洗澡。", cautions="局部瘀痕 3—7 天自行消退。",
        before="有中医医嘱，皮肤完整。", against="出血倾向或服用抗凝药、孕妇腹部、皮肤破损。", uses="火罐或抽气罐、刮痧板、刮痧油。"),
    _item("N20", "tcm", _BOTH, 30, _LOW, (50, 60, 20, 30), skills=("中医护理",), waste=False,
        intro="耳穴压豆、穴位贴敷与经络推拿，用于失眠、便秘、颈腰不适的调理。",
        tips="请告知胶布及药物过敏史。", cautions="贴敷处瘙痒、起疹请立即取下。",
        before="无胶布或药物过敏。", against="孕妇敏感穴位、局部皮肤破损。", uses="王不留行籽贴、穴位贴。"),
    _item("N21", "maternal", _BOTH, 60, _LOW, (60, 160, 10, 30), skills=("母乳喂养指导",),
        intro="评估含接与泌乳，手法通乳，指导哺乳姿势与涨奶处理。",
        tips="请在两餐哺乳之间预约，备好温毛巾。", cautions="体温超过 38.5℃ 或乳房有波动感请到院。",
        before="体温低于 38.5℃，无乳腺脓肿。", against="乳腺脓肿、乳房肿物未明确。", uses="一次性护理垫、手套。"),
    _item("N22", "maternal", _HOME, 60, _LOW, (60, 100, 20, 30), skills=("产科护理",),
        intro="产后访视：检查子宫复旧、恶露、伤口与情绪，指导休养与避孕。",
        tips="请准备出院小结与分娩记录。", cautions="出血增多、发热或情绪持续低落请及时就医。",
        before="已知分娩日期与伤口情况。", against="产后大出血、高热。", uses="会阴护理包、血压计。"),
    _item("N23", "maternal", _HOME, 60, _LOW, (60, 110, 20, 30), skills=("新生儿护理",),
        intro="为新生儿沐浴、抚触与脐部护理，并教会家长操作与观察。",
        tips="室温 24—28℃，喂奶后 1 小时进行。", cautions="脐部渗血、流脓或宝宝拒奶请就医。",
        before="孕满 37 周或医生同意，体温正常。", against="发热、皮肤感染、生命体征不稳。", uses="脐部护理包、一次性浴巾。"),
    _item("N24", "maternal", _HOME, 30, _MEDIUM, (60, 50, 10, 30), waste=False, skills=("新生儿护理",),
        intro="经皮测定新生儿胆红素，按小时龄曲线评估并指导喂养与随访。",
        tips="请准备出生时间与出院时的黄疸值。", cautions="数值超过干预线或精神差请立即到院。",
        before="已知出生小时龄。", against="嗜睡、拒奶、抽搐应直接就医。", uses="经皮胆红素仪探头保护套。"),
    _item("N25", "general", _HOME, 90, _MEDIUM, (100, 150, 30, 30), skills=("安宁疗护",),
        intro="评估疼痛与不适，舒适护理，心理支持，指导家属照护。",
        tips="请准备病情资料与在用药物清单。", cautions="药物调整须由医生决定。", before="有安宁疗护方案。",
        against="需要急诊处理的情况。", uses="舒适护理用品。"),
    _item("N26", "general", _BOTH, 45, _LOW, (50, 60, 0, 20), clinical=False, waste=False,
        intro="梳理用药、讲解疾病知识，手把手培训家庭照护技能。",
        tips="请集中摆放在用药物，主要照护者在场。", cautions="请勿自行停药、换药。", before="无特殊要求。",
        against="无。", uses="宣教手册。"),
    _item("D01", "general", _HOME, 45, _MEDIUM, (120, 100, 0, 40), waste=False, skills=("主治医师及以上",),
        intro="医生上门巡诊：查体、评估病情与用药，给出治疗与转诊建议。",
        tips="请备好既往病历与近期检查结果。", cautions="胸痛、呼吸困难等急症请直接拨打 120。",
        before="已在本院建档或有明确诊断资料。", against="急危重症。", uses="便携心电图电极、压舌板。"),
    _item("C01", "tcm", _HOSPITAL, 40, _MEDIUM, (0, 120, 15, 0), name="针灸治疗（到院）", skills=("中医师",), waste=True,
        intro="中医师辨证取穴，毫针针刺配合电针，适用于颈腰痛、面瘫、失眠。",
        tips="饭后 1 小时就诊，穿宽松衣物。", cautions="晕针史请提前告知。", before="到院由医生评估。",
        against="出血倾向、局部感染、孕妇慎用。", uses="一次性毫针、消毒用品。"),
    _item("C02", "maternal", _HOSPITAL, 45, _LOW, (0, 180, 60, 0), name="产后盆底康复（到院）", skills=("康复治疗",),
        intro="产后 42 天起评估盆底肌力，电刺激与生物反馈训练。",
        tips="避开月经期，排空膀胱。", cautions="治疗后如有出血请停止并就诊。", before="产后 42 天复查无异常。",
        against="阴道出血、急性炎症、心脏起搏器。", uses="一次性电极探头。", waste=True),
    _item("C03", "chronic", _HOSPITAL, 30, _LOW, (0, 50, 0, 0), name="慢病综合随访（到院）", waste=False,
        intro="高血压、糖尿病患者到院随访：测量、评估、调整生活方式并更新健康档案。",
        tips="请携带近期自测记录与在服药物。", cautions="急性不适请挂急诊。", before="已确诊高血压或糖尿病。",
        against="无。", uses="血糖试纸。"),
)  # fmt: skip

"""Hospitals: the organisations that offer care, their licences, their sites with service areas, and their desks.

Words: 医院 hospital · 院区 site · 服务范围 service area · 执业许可证 licence · 上门资质 home mode ·
管理后台 desk · 特约商户 merchant.

States: `draft → open ⇄ suspended`. A hospital opens only with a licence that is valid today, a known home mode
(RULE-19), at least one site and, where hospitals are paid as sub-merchants (RULE-71), its merchant number. What a desk
proposes as its new licence waits for the operator and does not touch the licence in force. Every change of state leaves
a row of history.

Invariants: coordinates are GCJ-02 (RULE-18); a district prefix has 2, 4 or 6 digits (RULE-18); one merchant, one
hospital.
"""

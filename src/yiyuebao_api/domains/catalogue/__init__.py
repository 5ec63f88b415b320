"""Catalogue: what hospitals offer, in immutable versions with prices in parts, and where an item is permitted.

Words: 服务项目 service (item) · 版本 version · 上门 home · 到院 hospital · 价格构成 price lines ·
项目目录 regional policy · 慢病管理 chronic · 术后康复 postop · 中医诊疗 tcm · 母婴护理 maternal.

States of a service: `draft → published ⇄ suspended → retired` (a draft and a published service retire too). A desk
edits a draft; publishing checks that it is complete (RULE-30) and permitted there (RULE-19, RULE-31, RULE-32), then
freezes it as the next version (RULE-37). Bookings refer to a version; a later edit never changes what somebody bought.

Invariants: versions are never updated; a price is a whole number of fen and the sum of its lines; season days are
inclusive.
"""

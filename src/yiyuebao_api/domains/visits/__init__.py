"""Visits (上门服务): somebody comes, step by step, and the patient confirms.

Words: 派单 = *assign* · 改派 = *reassign* · 撤回派单 = *unassign* · 出发 = *depart* · 到达 = *arrive* ·
核验码签到 = *check in* (the patient says a code, the clinician types it) · 知情同意书 = *agreement* · 开始服务 = *start* ·
完成服务 = *finish* · 护理记录 = *nursing record* · 确认 = *confirm* · 候选人员 = *candidate*.

Stages: `assigned → departed → arrived → started → finished → confirmed`; at the hospital nobody departs and the
check-in code is the arrival. `cancelled` ends a visit whose booking ended, or one that the desk took back: assigning
that booking again revives it, so a booking has one visit. Silence after a finished visit confirms it.

Invariants: nothing starts before the patient's side has signed what is to be done (RULE-47) · every step leaves one row
with who, when and why, and tells the booking in the same transaction · a person has no two visits whose times overlap,
travel included, at whatever hospital (RULE-45) · who may be sent is asked at assignment and again at departure (RULE-22) ·
a patient's address beyond the district is shown to the clinician from assignment until 24 hours after the end ·
coordinates of an arrival are sealed and never shown (RULE-55).

Locks, always in this order: the booking's row, the visit's row, the rows of the person who is sent (in key order).
So two desks, a patient who cancels and a clinician who departs wait for each other, and never in a circle.
"""

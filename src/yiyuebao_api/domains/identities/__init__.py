"""Identities: who somebody is, shown by both sides of an ID card and decided by a person.

Words: 实名认证 = *identity* · 人像面 = *front* · 国徽面 = *back* · 审核 = *decision* · 存疑原因 = *doubt*.

States: `submitted → verified | rejected`. What is submitted is committed before anything is read: a reading that
fails, is late or over quota leaves a doubt, never a gap, and the row stands in the operator's queue all the same.

Invariants: no reading and no register verifies anybody, a person does (RULE-07); one open submission per patient; the
pictures are shown by links of five minutes to the owner and the operator only, never in a list (RULE-08); every decision
is an audit row, and writes the patient's real-name state in the same transaction.
"""

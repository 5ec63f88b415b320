"""Privacy: what is held of a person, a copy of it for them, and the end of their account.

Words: 个人信息副本 = *export* · 注销账户 = *closing* · 本人核验 = *proof* · 保存类别 = *fate*.

What is held is written down once, table by table (`holdings`): whose a row is, whether its person gets a copy of it, and what
becomes of it when the account is closed. A table with a person in it that nobody placed there fails the build.

An export moves `pending → ready → expired`. The request asks for a job; the job reads, packs and encrypts, and may be killed
between any two steps and run again. A closing is one transaction: all of it, or nothing.

Invariants: both need a fresh code sent to the account's own phone · one export at a time · an export is the account's own, its
patients' included, and nobody else's words but the other side of a conversation · what runs (a visit, a consultation, a
refund) is ended first, the refusal names it · what the law keeps is kept for storage only (RULE-147): no session leads to it ·
the phone number of a closed account is nobody's, and may begin anew.
"""

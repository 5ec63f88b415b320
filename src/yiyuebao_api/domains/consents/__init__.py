"""Consents (知情同意): what people were told, what they agreed to, and what they took back.

Words: 告知书 = *consent notice* · 同意 = *consent* (given) · 撤回 = *withdrawal* · 拒绝 = *refusal* · 处理目的 = *purpose* ·
监护人 = *guardian* · 凭证 = *proof*.

A notice is one published version of what is told for one purpose; it never changes, the next version replaces it. Consent
is separate per purpose (RULE-143): some purposes concern the account, some one patient. The ledger has one row for each
answer (given, refused, withdrawn) and is only ever appended to; what stands is its newest row.

Invariants: a row names the version and the SHA-256 of the text that was shown, when it was shown and answered, by whom,
in which relation, from which session and how · the answers to one purpose are numbered without a gap, whoever answers in
parallel · consent to a version before the newest that `renews` counts no longer (RULE-145: another purpose, another
consent) · for a patient under 14 a guardian signs, on the notice for children (RULE-12) · withdrawing is one request
without conditions and holds for the next request (RULE-144) · whoever refused is not asked again for seven days.
"""

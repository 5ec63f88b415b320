"""Grants (授权查看): the one place that says who may see whose data, by what right, and until when.

Words: 授权 = *grant* · 被授权方 = *grantee* (a clinician or a hospital) · 依据 = *basis* · 范围 = *scope* · 撤销 = *revoke* ·
查看记录 = *access log* (who looked).

Domains above open a grant when somebody comes to need the data (a paid booking, an assignment) and close it when they no
longer do; every guard on a patient's data that others hold asks `has_grant`, or `look`, which writes the audit row too.

Invariants: a grant is open from `from_at` until `until_at` unless it was revoked · there is one per subject, grantee and
scope: opening it again revives it · closing and revoking count from the next request on (RULE-107) · nobody revokes what a
booking or a consultation still needs: they cancel or leave it, which closes the grant.
"""

"""Accounts: who somebody is to us, how they prove it, and as what they are signed in.

Words: 账户 account · 身份 mode (患者 patient, 医护 clinician, 医院后台 desk, 平台 operator, 审计 auditor) · 角色 role ·
验证码 SMS code · 登录会话 session · 刷新令牌 refresh token · 员工凭证 staff credential · 额度 allowance.

An account is one phone number (RULE-09) or one staff login. Everybody holds the mode `patient`; every other mode is a
role that was granted, at most places for one hospital. A session is one sign-in on one device and carries exactly one
mode and one tenant (A10); switching changes the session, so that tokens of the mode before end at once.

Invariants: codes are six digits, live five minutes, are tried five times and work once, whoever guesses in parallel
(RULE-10); an openid comes from WeChat's server, never from a body, and belongs to one account; a refresh token works
once, and the second use ends its session for good, committed although the answer is a refusal. There is no grace for a
client that lost an answer: it signs in again. Staff modes need a session that began with a password; such sessions end
after thirty idle minutes or twelve hours.
"""

"""Patients: the people one account cares for, and the addresses a visit may go to.

Words: 就诊人 patient · 关系 relation (本人 self, 配偶 spouse, 子女 child, 父母 parent, 其他监护人 other_guardian,
被授权人 authorised) · 实名 real-name state · 服务地址 address · 收件人 recipient.

Real name: `unverified → pending → verified | rejected`, read-only here. `mark_verified` is for whoever has proof
(RULE-07). Who was verified, or waits for it, keeps name, sex, birth date and number until a review changes them
(RULE-05: never a silent overwrite).

Invariants: the account's holder and a patient are different things (RULE-11); an account cares for at most eight
people, at most one of whom is its holder (`self`); one ID number appears once per account; a place is GCJ-02 and in
China (RULE-18). Names, phones, numbers and addresses are sealed (RULE-149); an owner sees them unmasked (RULE-148).
Deleting hides a row; bookings keep pointing at it.
"""

"""Consultations (在线咨询): paid, one to one, and never a lost word.

Words: 咨询 = *consultation* · 健康咨询 = *health advice* · 在线复诊 = *online follow-up* · 回合 = *round* · 接诊 = *accept* ·
续时/加问 = *extension* · 小结 = *summary* · 撤回 = *recall* · 举报 = *report* · 拉黑 = *block* · 首诊 = *first visit* ·
首诊试点 = *pilot*.

States: `awaiting_payment → waiting → active → ended`; ends `expired` (never paid) and `refunded`. Deadlines hold at read
time, whether or not any job runs: payment within the hold, an answer within 30 minutes (then the patient may wait, change or
be refunded) and 24 hours (then all of it goes back), the clock of minutes or rounds, 48 hours of silence.

An export for a regulator (监管导出) moves `pending → ready → expired`: an operator asks for one hospital's consultations of some
days, a job packs and seals them, each fetch is noted, the row stays (RULE-83).

Invariants: only the paying account and the chosen clinician's account read or write; to everybody else it is not there
(RULE-84) · a message is stored with the next `seq` of its consultation before anybody hears of it; seq has no gap, and the
same `client_msg_id` of the same sender is one message · what was said is never changed or deleted: a recall hides it behind
a tombstone that takes a place in the log (kept at least 3 years, RULE-82) · marks only grow, per device, with their times ·
health advice holds no diagnosis (RULE-75); an online follow-up starts only with its gates open (RULE-76, 77, 79, 81); a first
visit is one only while a pilot of its hospital and specialty is in force, when asked for, paid and accepted (RULE-77) · money
for an answer that never came goes back whole and once; what was served is shared at the end like a visit (RULE-70, 85).
"""

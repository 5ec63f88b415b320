"""Operations (平台运营): what the platform's own people must see and set right.

Words: 后台任务 = *job* · 死信 = *dead letter* (a job that gave up and waits for a person) ·
审计 = *audit* (who saw or changed whose data).

The audit is read by auditors and by nobody else; an operator is another person (RULE-151).

It decides nothing of the business: a decision is a use case of the domain it belongs to. Reviving a dead letter gives the
same job a fresh start; every job is safe to repeat.
"""

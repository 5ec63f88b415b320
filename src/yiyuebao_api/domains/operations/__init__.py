"""Operations (平台运营): what the platform's own people must see and set right.

Words: 后台任务 = *job* · 死信 = *dead letter* (a job that gave up and waits for a person) ·
审计 = *audit* (who saw or changed whose data).

The audit is read by auditors and by nobody else; an operator is another person (RULE-151).

待办队列 = *queue* · 领取 = *claim* (for fifteen minutes) · 时限 = *deadline*.

A queue is a state of rows that another domain owns, read downward; only who is at work on an item is kept here, so that
two operators do not do the same. A claim is a courtesy, not a lock: a decision is made once, whoever makes it first.
It decides nothing of the business: a decision is a use case of the domain it belongs to. Reviving a dead letter gives the
same job a fresh start; every job is safe to repeat.
"""

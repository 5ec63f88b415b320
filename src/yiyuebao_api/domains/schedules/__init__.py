"""When a service can be had: pools of places, the hours they are open, and the claims on them.

Words: 班组 = pool (people or rooms that can serve at the same time), 每周模板 = template, 例外日 = exception (a day
closed or opened on top of the template), 排班 = roster, 请假 = leave, 占号 = claim, 号源 = slot, 余号 = places left.

Invariants: claims are the only count of places taken there is. A claim is live while it is kept, or while it is held
and its hold has not ended (decided at read time, no job needs to run). At no moment do more live claims of a pool
overlap, buffers included, than the pool's capacity at that moment was when each was made: the row of (pool, day in
Shanghai) is locked while a place is counted and taken. Listing and claiming run the same function of `rules`.
"""

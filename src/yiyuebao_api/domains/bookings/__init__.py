"""Bookings (预约): the promise of a visit, from the held place to the closed order.

Words: 预约 = *booking* · 占号 = *hold* · 报价 = *quote* · 接单 = *accept* · 拒单 = *refuse* · 取消 = *cancel* ·
费用明细 = *price lines* · 退改规则 = *cancellation policy*.

States: `held → paid → accepted → assigned → under_way → done → closed`; ends `expired`, `cancelled`, `refused`. The place is
held for 15 minutes (RULE-51); the hold ends at `hold_until` at read time, whether or not any job runs. A payment that
arrives later is re-seated if the place is still free, else refunded; a second payment is refunded. A paid one whose next
step (accept, assign, set out or check in) the hospital does not take by `act_by` is refused by its silence.

Invariants: what was quoted is what is stored (lines, policy, version, address: snapshots, RULE-37) · no price comes from a
client: there is no field for it · one claim per booking; a booking that can no longer take place holds none · the state
moves only along `rules.MOVES`, one history row a move · the hospital is told in the same transaction (RULE-52) ·
cancellation keeps at most `visit_fee` and `travel_fee` lines (RULE-65) and never anything before departure.
"""

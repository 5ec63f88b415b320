"""Settlements (结算): who is owed which part of the money, and the books that prove it.

Words: 分账 = *split* · 计提 = *accrual* (a visit was confirmed: the shares are fixed) · 释放 = *release* (the dispute window
is over) · 凭证 = *posting* (some entries that add up to zero) · 分录 = *entry*.

Every refund goes through here, because only this domain knows the shares. Books are double entry: debits are positive,
credits negative, every posting sums to zero, so the whole ledger does. Accounts, each kept per hospital:
`clearing` (money at the hospital's WeChat merchant), `unearned` (paid, not yet confirmed), `hospital_share` and
`platform_share` (fixed, waiting for the window), `hospital_released` and `platform_released`.

Split: net = paid − promised back, arrived or not: what is owed back is nobody's share. platform = net × rate_bp // 10 000;
hospital = net − platform (RULE-70). The rate is dated per hospital. What a cancellation keeps is shared like any visit. The
platform's money is moved by WeChat profit sharing, out of the hospital's (RULE-71): a later capability; the numbers it
needs are kept here.
"""

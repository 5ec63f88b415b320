"""Payments (支付): money asked for, received and given back through WeChat Pay.

Words: 支付单 = *payment* (one attempt to collect for one subject) · 退款单 = *refund* · 商户订单号 = *out_trade_no* ·
商户退款单号 = *out_refund_no* · 特约商户 = *sub-merchant* (the hospital, who receives the money, RULE-71).

A payment: `created` (recorded, not yet known to WeChat) → `prepaid` → `succeeded`, or `closed` when nobody paid in time.
A success that arrives after `closed` still counts: money that moved is never lost.
A refund: `requested` → `processing` → `succeeded`, or `abnormal` when WeChat could not return it and a person must look.
`closed`: WeChat returned nothing; the promise stands, `requested` anew under another number once a person has looked.

Invariants: amount, payee, payer and description come from the stored subject, never from a request · a payment succeeds at
most once · Σ refunds ≤ paid (RULE-68) · one refund per payment and cause · nothing is believed that WeChat did not sign or
answer, and that does not equal our own row in merchant, number, amount, currency and payer.
"""

"""Clinicians: nurses and doctors as staff of one hospital, their qualifications, and whether they may be sent.

Words: 护士 nurse · 医生 doctor · 职称 title · 执业证书 licence · 资质审核 verification · 证书 qualification ·
不良执业记录 adverse record · 上岗条件 readiness.

States: `draft → submitted → verified ⇄ suspended`, `submitted → rejected → submitted`; from everywhere → `exited`. An
edit of what was verified makes a draft of it again. Only the operator verifies; that grants the clinician mode for that
hospital, and losing it takes the mode away. One person may work for several hospitals: one row per account and hospital
(RULE-26).

A certificate moves `draft → submitted → approved → expired` or `→ rejected → draft`. Its holder fills it in from its
photographs, in whatever mode they are signed in; once it is submitted a machine reads them too, and the reviewer is shown
where the two differ. The operator compares it with its register and approves the version they looked at. Only that writes
number, last day, title and place of practice into the file as checked. One certificate of a kind is open at a time.

Invariants: who may be sent is one pure question (`rules.may_serve`) over the file · an adverse record ends a person's work
at every hospital, for good or two years (RULE-23, RULE-28) · whoever goes off-line is announced in the same transaction ·
a warning is given once. Locks: the clinician's row, then the certificate's.
"""

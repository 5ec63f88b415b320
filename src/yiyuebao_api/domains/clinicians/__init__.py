"""Clinicians: nurses and doctors as staff of one hospital, their qualifications, and whether they may be sent.

Words: 护士 nurse · 医生 doctor · 职称 title · 执业证书 licence · 资质审核 verification.

States: `draft → submitted → verified ⇄ suspended`, `submitted → rejected → submitted`. An edit of what was verified
makes a draft of it again. Only the operator verifies; that grants the clinician mode for that hospital, and losing it
takes the mode away. One person may work for several hospitals: one row per account and hospital (RULE-26).
"""

"""Consultations: what hospitals allow, what clinicians offer, the consultations with their log, marks, notes and flags.

The downgrade drops the tables only, those that others point to last.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "consultations_1"
down_revision = "live_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consultation_block",
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who blocked"),
        sa.Column("blocked_id", mysql.BINARY(16), nullable=False, comment="whom"),
        sa.Column("blocked_at", mysql.DATETIME(fsp=6), nullable=False, comment="since when"),
        sa.PrimaryKeyConstraint("account_id", "blocked_id"),
        comment="Blocks: an account that wants nothing to do with another; either way, nothing passes between the two.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_consultation_block_blocked", "consultation_block", ["blocked_id"], unique=False)
    op.create_table(
        "consultation_mark",
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="whose device"),
        sa.Column(
            "device_id",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=False,
            comment="the device, as it calls itself",
        ),
        sa.Column("delivered_seq", sa.Integer(), nullable=False, comment="highest seq received; only grows"),
        sa.Column("delivered_at", mysql.DATETIME(fsp=6), nullable=True, comment="when that was reached"),
        sa.Column("read_seq", sa.Integer(), nullable=False, comment="highest seq read; only grows"),
        sa.Column("read_at", mysql.DATETIME(fsp=6), nullable=True, comment="when that was reached"),
        sa.PrimaryKeyConstraint("consultation_id", "account_id", "device_id"),
        comment="Marks: how far one device of one participant has received and read, and since when.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "consultation_message",
        sa.Column(
            "consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation (no foreign key: hot)"
        ),
        sa.Column(
            "seq", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, 3 … within the consultation"
        ),
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("sender_id", mysql.BINARY(16), nullable=False, comment="who said it, as the session told"),
        sa.Column(
            "sender",
            sa.Enum("patient", "clinician", name="senderrole", native_enum=False, length=32),
            nullable=False,
            comment="patient, clinician",
        ),
        sa.Column(
            "client_msg_id",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=False,
            comment="the sender's own number: the same again is the same message",
        ),
        sa.Column(
            "kind",
            sa.Enum("text", "image", "file", "card", "recall", name="messagekind", native_enum=False, length=32),
            nullable=False,
            comment="text, image, file, card, recall",
        ),
        sa.Column("body", sa.LargeBinary(65535), nullable=False, comment="what was said, sealed"),
        sa.Column("sent_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was stored"),
        sa.Column(
            "recalled_by",
            sa.Integer(),
            nullable=True,
            comment="seq of its tombstone; the content is kept for the legal term",
        ),
        sa.Column(
            "withheld_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the operator hid it from both (RULE-86)"
        ),
        sa.CheckConstraint("seq > 0", name=op.f("ck_consultation_message_seq_positive")),
        sa.PrimaryKeyConstraint("consultation_id", "seq"),
        sa.UniqueConstraint(
            "consultation_id",
            "sender_id",
            "client_msg_id",
            name=op.f("uq_consultation_message_consultation_id_sender_id_client_msg_id"),
        ),
        sa.UniqueConstraint("id", name=op.f("uq_consultation_message_id")),
        comment="Messages: what was said, in order without gaps; never changed, never deleted (RULE-82, RULE-84).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "consultation_approval",
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose approval"),
        sa.Column(
            "approval_no",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="number of the approval (RULE-76)",
        ),
        sa.Column("valid_until", sa.Date(), nullable=False, comment="last day, Shanghai, inclusive"),
        sa.Column("recorded_by", mysql.BINARY(16), nullable=False, comment="operator who saw it"),
        sa.Column("recorded_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_approval_hospital_id")),
        sa.PrimaryKeyConstraint("hospital_id"),
        comment="Approvals for online diagnosis, recorded by the operator; without one a hospital gives health advice only.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "consultation_terms",
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose terms"),
        sa.Column(
            "kind",
            sa.Enum("health_advice", "online_follow_up", name="consultkind", native_enum=False, length=32),
            nullable=False,
            comment="health_advice, online_follow_up (RULE-75)",
        ),
        sa.Column("is_open", sa.Boolean(), nullable=False, comment="whether staff may offer it now"),
        sa.Column("min_fen", sa.BigInteger(), nullable=False, comment="lowest price, fen"),
        sa.Column("max_fen", sa.BigInteger(), nullable=False, comment="highest price, fen"),
        sa.Column("changed_at", mysql.DATETIME(fsp=6), nullable=False, comment="last change"),
        sa.CheckConstraint("0 < min_fen AND min_fen <= max_fen", name=op.f("ck_consultation_terms_limits")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_terms_hospital_id")),
        sa.PrimaryKeyConstraint("hospital_id", "kind"),
        comment="What a hospital allows its staff: which kinds are open, and between which prices.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "consultation",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "order_no",
            sa.String(length=24, collation="utf8mb4_bin"),
            nullable=False,
            comment="number for people: date and 14 random characters",
        ),
        sa.Column(
            "kind",
            sa.Enum("health_advice", "online_follow_up", name="consultkind", native_enum=False, length=32),
            nullable=False,
            comment="health_advice, online_follow_up (RULE-75)",
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who asks and pays"),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="whom it is about"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who answers"),
        sa.Column(
            "clinician_account_id", mysql.BINARY(16), nullable=False, comment="their account: the other participant"
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who is paid"),
        sa.Column(
            "people", sa.LargeBinary(65535), nullable=False, comment="names, sex and birth day as they were, sealed"
        ),
        sa.Column("complaint", mysql.VARBINARY(4064), nullable=False, comment="what the patient asks about, sealed"),
        sa.Column(
            "diagnosis", mysql.VARBINARY(864), nullable=True, comment="earlier diagnosis as stated, sealed (RULE-76)"
        ),
        sa.Column("diagnosed_on", sa.Date(), nullable=True, comment="day of that diagnosis"),
        sa.Column("proof_file_id", mysql.BINARY(16), nullable=True, comment="proof of that diagnosis (RULE-76)"),
        sa.Column(
            "agreed_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="informed consent before the first message (RULE-79)",
        ),
        sa.Column("offer_id", mysql.BINARY(16), nullable=False, comment="the offer it was bought from"),
        sa.Column(
            "measure",
            sa.Enum("rounds", "minutes", name="measure", native_enum=False, length=32),
            nullable=False,
            comment="rounds, minutes",
        ),
        sa.Column(
            "quantity", sa.Integer(), nullable=False, comment="rounds or minutes bought and given, extensions included"
        ),
        sa.Column(
            "price_fen", sa.BigInteger(), nullable=False, comment="price as it was shown, without extensions, fen"
        ),
        sa.Column("terms", sa.JSON(), nullable=False, comment="promises as they were shown: see rules.Terms"),
        sa.Column(
            "state",
            sa.Enum(
                "awaiting_payment",
                "waiting",
                "active",
                "ended",
                "expired",
                "refunded",
                name="consultstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="see rules.MOVES; read together with the deadlines",
        ),
        sa.Column("pay_until", mysql.DATETIME(fsp=6), nullable=False, comment="until when it can be paid"),
        sa.Column("payment_id", mysql.BINARY(16), nullable=True, comment="the payment that counted"),
        sa.Column("paid_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was paid"),
        sa.Column("answer_by", mysql.DATETIME(fsp=6), nullable=True, comment="promise of a first answer (RULE-85)"),
        sa.Column(
            "refund_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="when all goes back if there was no answer (RULE-85)",
        ),
        sa.Column(
            "accepted_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="when the doctor found the follow-up fit (RULE-76)",
        ),
        sa.Column(
            "answered_at", mysql.DATETIME(fsp=6), nullable=True, comment="first answer: the clock runs from here"
        ),
        sa.Column("rounds_used", sa.Integer(), nullable=False, comment="questions that were answered"),
        sa.Column("asked", sa.Boolean(), nullable=False, comment="whether the patient spoke last: a question is open"),
        sa.Column(
            "closes_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="end of the minutes, or of the grace after the last round",
        ),
        sa.Column("warned_at", mysql.DATETIME(fsp=6), nullable=True, comment="when both were told of the end"),
        sa.Column("spoken_at", mysql.DATETIME(fsp=6), nullable=True, comment="last message, for the end by silence"),
        sa.Column("ended_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was over"),
        sa.Column(
            "end_reason",
            sa.Enum(
                "unpaid",
                "patient",
                "clinician",
                "time_up",
                "rounds_up",
                "idle",
                "no_answer",
                "declined",
                "unfit",
                "payment_unusable",
                name="endreason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="why it was over",
        ),
        sa.Column("last_seq", sa.Integer(), nullable=False, comment="seq of its last message; the next is one more"),
        sa.Column("refund_due_fen", sa.BigInteger(), nullable=False, comment="promised back, extensions included, fen"),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False, comment="arrived back, fen"),
        sa.Column(
            "hidden_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="when the patient removed it from the list; kept (RULE-82)",
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.CheckConstraint("last_seq >= 0", name=op.f("ck_consultation_seq_grows")),
        sa.CheckConstraint("price_fen > 0", name=op.f("ck_consultation_price_positive")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_consultation_clinician_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_hospital_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_consultation_patient_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_no", name=op.f("uq_consultation_order_no")),
        comment="Consultations: one patient and one clinician, paid, with a counter for its messages.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_consultation_account", "consultation", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_consultation_clinician", "consultation", ["clinician_account_id", "hospital_id", "id"], unique=False
    )
    op.create_index("ix_consultation_hospital", "consultation", ["hospital_id", "id"], unique=False)
    op.create_table(
        "consultation_offer",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who offers it"),
        sa.Column(
            "hospital_id", mysql.BINARY(16), nullable=False, comment="at which hospital, which receives the money"
        ),
        sa.Column(
            "kind",
            sa.Enum("health_advice", "online_follow_up", name="consultkind", native_enum=False, length=32),
            nullable=False,
            comment="health_advice, online_follow_up",
        ),
        sa.Column(
            "measure",
            sa.Enum("rounds", "minutes", name="measure", native_enum=False, length=32),
            nullable=False,
            comment="rounds, minutes",
        ),
        sa.Column("quantity", sa.Integer(), nullable=False, comment="how many rounds or minutes one purchase is"),
        sa.Column("price_fen", sa.BigInteger(), nullable=False, comment="price of one purchase, fen"),
        sa.Column("is_open", sa.Boolean(), nullable=False, comment="whether new ones are taken now"),
        sa.Column("changed_at", mysql.DATETIME(fsp=6), nullable=False, comment="last change"),
        sa.CheckConstraint("price_fen > 0 AND quantity > 0", name=op.f("ck_consultation_offer_something")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_consultation_offer_clinician_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "clinician_id", "kind", "measure", name=op.f("uq_consultation_offer_clinician_id_kind_measure")
        ),
        comment="Offers: what a clinician asks for a consultation, one per kind and measure.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        "ix_consultation_offer_hospital", "consultation_offer", ["hospital_id", "is_open", "id"], unique=False
    )
    op.create_table(
        "consultation_extension",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7; what its payment is about"),
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation"),
        sa.Column("quantity", sa.Integer(), nullable=False, comment="further rounds or minutes"),
        sa.Column("price_fen", sa.BigInteger(), nullable=False, comment="its price, fen; 0 when it was given"),
        sa.Column(
            "state",
            sa.Enum("asked", "paid", "given", "returned", name="extensionstate", native_enum=False, length=32),
            nullable=False,
            comment="asked, paid, given, returned",
        ),
        sa.Column("pay_until", mysql.DATETIME(fsp=6), nullable=False, comment="until when it can be paid"),
        sa.Column("payment_id", mysql.BINARY(16), nullable=True, comment="the payment that counted"),
        sa.Column("added_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was added to the consultation"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.CheckConstraint("price_fen >= 0 AND quantity > 0", name=op.f("ck_consultation_extension_something")),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_extension_consultation_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Extensions: further rounds or minutes of one consultation, bought by the patient or given by the clinician.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        "ix_consultation_extension_consultation", "consultation_extension", ["consultation_id", "id"], unique=False
    )
    op.create_table(
        "consultation_flag",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="where"),
        sa.Column("seq", sa.Integer(), nullable=True, comment="which message; null: the whole consultation"),
        sa.Column(
            "kind",
            sa.Enum("contact", "abuse", "illegal", "report", name="flagkind", native_enum=False, length=32),
            nullable=False,
            comment="contact, abuse, illegal, report",
        ),
        sa.Column(
            "rule",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="which rule found it, or why it was reported",
        ),
        sa.Column("words", mysql.VARBINARY(2064), nullable=True, comment="what the reporter wrote, sealed"),
        sa.Column("reporter_id", mysql.BINARY(16), nullable=True, comment="who reported; null: found by a rule"),
        sa.Column(
            "state",
            sa.Enum("open", "dismissed", "upheld", name="flagstate", native_enum=False, length=32),
            nullable=False,
            comment="open, dismissed, upheld",
        ),
        sa.Column("decided_by", mysql.BINARY(16), nullable=True, comment="operator who decided"),
        sa.Column("decision", sa.String(length=200), nullable=True, comment="why, in the operator's words"),
        sa.Column("decided_at", mysql.DATETIME(fsp=6), nullable=True, comment="when"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was raised"),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_flag_consultation_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Flags: something in a consultation that a person should look at (RULE-86).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_consultation_flag_consultation", "consultation_flag", ["consultation_id", "id"], unique=False)
    op.create_index("ix_consultation_flag_state", "consultation_flag", ["state", "id"], unique=False)
    op.create_table(
        "consultation_move",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation"),
        sa.Column(
            "from_state",
            sa.Enum(
                "awaiting_payment",
                "waiting",
                "active",
                "ended",
                "expired",
                "refunded",
                name="consultstate",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="null for the first",
        ),
        sa.Column(
            "to_state",
            sa.Enum(
                "awaiting_payment",
                "waiting",
                "active",
                "ended",
                "expired",
                "refunded",
                name="consultstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="where it went",
        ),
        sa.Column(
            "actor",
            sa.Enum("patient", "clinician", "system", name="actor", native_enum=False, length=32),
            nullable=False,
            comment="who",
        ),
        sa.Column("reason", mysql.VARBINARY(2064), nullable=True, comment="why, as told; sealed"),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_move_consultation_id")
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="History of consultations: one row a move, never changed.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_consultation_move_consultation", "consultation_move", ["consultation_id", "id"], unique=False)
    op.create_table(
        "consultation_rating",
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who is rated"),
        sa.Column("stars", sa.Integer(), nullable=False, comment="1 to 5"),
        sa.Column("words", mysql.VARBINARY(2064), nullable=True, comment="in the patient's words, sealed"),
        sa.Column("rated_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_consultation_rating_stars")),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_rating_consultation_id")
        ),
        sa.PrimaryKeyConstraint("consultation_id"),
        comment="Ratings: what the patient thought of it, once.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_consultation_rating_clinician", "consultation_rating", ["clinician_id", "stars"], unique=False)
    op.create_table(
        "consultation_summary",
        sa.Column("consultation_id", mysql.BINARY(16), nullable=False, comment="its consultation"),
        sa.Column("content", sa.LargeBinary(65535), nullable=False, comment="the note's parts, sealed"),
        sa.Column("messages", sa.JSON(), nullable=False, comment="seqs of the messages it rests on"),
        sa.Column("author_id", mysql.BINARY(16), nullable=False, comment="who wrote it: a person (RULE-80)"),
        sa.Column("written_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.Column("filed_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the patient filed it"),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultation.id"], name=op.f("fk_consultation_summary_consultation_id")
        ),
        sa.PrimaryKeyConstraint("consultation_id"),
        comment="Summaries: the clinician's structured note at the end, with the messages it rests on.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )


def downgrade() -> None:
    for table in (
        "consultation_summary", "consultation_rating", "consultation_move", "consultation_flag",
        "consultation_extension", "consultation", "consultation_terms", "consultation_offer", "consultation_approval",
        "consultation_message", "consultation_mark", "consultation_block",
    ):  # fmt: skip
        op.drop_table(table)

"""The first tables: everything the main job needs, from the account to the released shares.

One revision, because nothing is deployed yet. The downgrade drops tables only: an index that a foreign key needs cannot be
dropped before it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("phone", mysql.VARBINARY(144), nullable=True, comment="E.164, sealed (RULE-09, RULE-149)"),
        sa.Column("phone_index", sa.BINARY(length=32), nullable=True, comment="blind index of the phone"),
        sa.Column(
            "status",
            sa.Enum("active", "suspended", "closed", name="accountstatus", native_enum=False, length=32),
            nullable=False,
            comment="active, suspended, closed",
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="first sign-in"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("phone_index", name=op.f("uq_account_phone_index")),
        comment="Accounts: one per phone number, and one per staff login without a phone.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "accrual",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("subject_id", sa.String(length=40, collation="utf8mb4_bin"), nullable=False, comment="the booking"),
        sa.Column("payment_id", mysql.BINARY(16), nullable=False, comment="the payment the split is taken from"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who keeps the larger share"),
        sa.Column("net_fen", sa.BigInteger(), nullable=False, comment="paid minus refunded, fen"),
        sa.Column("rate_bp", sa.Integer(), nullable=False, comment="platform's rate on the day of confirmation"),
        sa.Column("platform_fen", sa.BigInteger(), nullable=False, comment="net * rate // 10000"),
        sa.Column("hospital_fen", sa.BigInteger(), nullable=False, comment="the rest"),
        sa.Column(
            "state",
            sa.Enum("pending", "released", name="accrualstate", native_enum=False, length=32),
            nullable=False,
            comment="pending, released",
        ),
        sa.Column("accrued_at", mysql.DATETIME(fsp=6), nullable=False, comment="when the visit was confirmed"),
        sa.Column("due_at", mysql.DATETIME(fsp=6), nullable=False, comment="end of the dispute window"),
        sa.Column("released_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was released"),
        sa.CheckConstraint("platform_fen + hospital_fen = net_fen", name=op.f("ck_accrual_adds_up")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject_id", name=op.f("uq_accrual_subject_id")),
        comment="The shares of one confirmed booking and when they are released.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_accrual_hospital", "accrual", ["hospital_id", "id"], unique=False)
    op.create_table(
        "category",
        sa.Column("code", sa.String(length=20, collation="utf8mb4_bin"), nullable=False, comment="stable code"),
        sa.Column(
            "scenario",
            sa.Enum("chronic", "postop", "tcm", "maternal", "general", name="scenario", native_enum=False, length=32),
            nullable=False,
            comment="scenario of care it belongs to",
        ),
        sa.Column("name_zh", sa.String(length=50), nullable=False, comment="name in Chinese"),
        sa.Column("name_en", sa.String(length=50), nullable=False, comment="name in English"),
        sa.Column("position", sa.Integer(), nullable=False, comment="order in lists"),
        sa.PrimaryKeyConstraint("code"),
        comment="Categories of services, in the order they are shown.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "claim",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="of which pool (no foreign key: hot)"),
        sa.Column("day", sa.Date(), nullable=False, comment="day in Shanghai; a claim never crosses midnight"),
        sa.Column("starts_at", mysql.DATETIME(fsp=6), nullable=False, comment="start of the visit"),
        sa.Column("ends_at", mysql.DATETIME(fsp=6), nullable=False, comment="end of the visit, exclusive"),
        sa.Column("busy_from", mysql.DATETIME(fsp=6), nullable=False, comment="start with the buffer before"),
        sa.Column("busy_until", mysql.DATETIME(fsp=6), nullable=False, comment="end with the buffer after, exclusive"),
        sa.Column(
            "subject",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="by what it was taken: a booking's id",
        ),
        sa.Column("held_until", mysql.DATETIME(fsp=6), nullable=True, comment="until when it is held unpaid (RULE-51)"),
        sa.Column("kept_at", mysql.DATETIME(fsp=6), nullable=True, comment="since when it is permanent"),
        sa.Column(
            "lapsed_at", mysql.DATETIME(fsp=6), nullable=True, comment="when somebody else was given its lapsed place"
        ),
        sa.Column("released_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was given back"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was taken"),
        sa.CheckConstraint(
            "busy_from <= starts_at AND starts_at < ends_at AND ends_at <= busy_until", name=op.f("ck_claim_order")
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Claims: a place taken, from when to when, until when held; the only count of places taken there is.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_claim_count", "claim", ["pool_id", "day", "released_at"], unique=False)
    op.create_table(
        "fee_rate",
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose rate"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="first day, Shanghai"),
        sa.Column("rate_bp", sa.Integer(), nullable=False, comment="basis points, at most 3000 (RULE-71)"),
        sa.PrimaryKeyConstraint("hospital_id", "valid_from"),
        comment="The platform's share of one hospital, from a day on; without a row the setting holds.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "hospital",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("name", sa.String(length=100), nullable=False, comment="full registered name"),
        sa.Column(
            "level",
            sa.Enum(
                "tertiary_a",
                "tertiary_b",
                "secondary_a",
                "secondary_b",
                "primary",
                "community",
                "unrated",
                name="hospitallevel",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="grade given by the health authority",
        ),
        sa.Column("intro", sa.Text(), nullable=False, comment="introduction for patients"),
        sa.Column("phone", sa.String(length=30), nullable=False, comment="public telephone number"),
        sa.Column("opening", sa.String(length=200), nullable=False, comment="opening hours, as people write them"),
        sa.Column("departments", sa.JSON(), nullable=False, comment="names of departments (RULE-20)"),
        sa.Column(
            "state",
            sa.Enum("draft", "open", "suspended", name="hospitalstate", native_enum=False, length=32),
            nullable=False,
            comment="draft, open, suspended",
        ),
        sa.Column(
            "uscc",
            sa.String(length=18, collation="utf8mb4_bin"),
            nullable=False,
            comment="unified social credit code (RULE-14)",
        ),
        sa.Column(
            "licence_no",
            sa.String(length=30, collation="utf8mb4_bin"),
            nullable=True,
            comment="practice licence number (RULE-15)",
        ),
        sa.Column(
            "licence_valid_until", sa.Date(), nullable=True, comment="last day of the licence, inclusive (RULE-19)"
        ),
        sa.Column(
            "licence_checked_at", mysql.DATETIME(fsp=6), nullable=True, comment="last check by the operator (RULE-21)"
        ),
        sa.Column(
            "home_mode", sa.Boolean(), nullable=True, comment="may visit patients at home (RULE-19); null while unknown"
        ),
        sa.Column(
            "sub_mchid",
            sa.String(length=20, collation="utf8mb4_bin"),
            nullable=True,
            comment="its WeChat Pay sub-merchant (RULE-71)",
        ),
        sa.Column(
            "sub_appid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=True,
            comment="its own AppID, if payers' openids are its",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was registered"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sub_mchid", name=op.f("uq_hospital_sub_mchid")),
        sa.UniqueConstraint("uscc", name=op.f("uq_hospital_uscc")),
        comment="Hospitals: organisations that offer care, with licence, settlement and state.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_hospital_state_id"), "hospital", ["state", "id"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("caller", sa.String(length=48, collation="utf8mb4_bin"), nullable=False, comment="mode:account"),
        sa.Column(
            "key", sa.String(length=255, collation="utf8mb4_bin"), nullable=False, comment="chosen by the client"
        ),
        sa.Column("asked", sa.BINARY(length=32), nullable=False, comment="SHA-256 of method, path, query and body"),
        sa.Column("subject", mysql.BINARY(16), nullable=False, comment="id of what is made; the same in every run"),
        sa.Column("runs", sa.Integer(), nullable=False, comment="how often the claim was taken"),
        sa.Column(
            "busy_until",
            mysql.DATETIME(fsp=6),
            nullable=False,
            comment="lease of a run that is between two transactions",
        ),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status of the stored answer"),
        sa.Column("answer", sa.LargeBinary(65535), nullable=True, comment="stored answer, sealed"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="kept for 48 hours"),
        sa.PrimaryKeyConstraint("caller", "key"),
        comment="Idempotency keys: one row per caller and key; the answer is null until the effect has been committed.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_idempotency_key_created_at"), "idempotency_key", ["created_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "source",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="which provider's which message",
        ),
        sa.Column(
            "external_id",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=False,
            comment="the provider's id of it",
        ),
        sa.Column("content", sa.LargeBinary(65535), nullable=False, comment="decrypted content, sealed by us"),
        sa.Column("received_at", mysql.DATETIME(fsp=6), nullable=False, comment="first arrival"),
        sa.Column("applied_at", mysql.DATETIME(fsp=6), nullable=True, comment="null until its effect was committed"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_inbox_source_external_id")),
        comment="Inbox: verified messages of providers, unique by source and the provider's own id.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "ledger_entry",
        sa.Column("posting_id", mysql.BINARY(16), nullable=False, comment="its posting"),
        sa.Column(
            "account",
            sa.Enum(
                "clearing",
                "unearned",
                "hospital_share",
                "platform_share",
                "hospital_released",
                "platform_released",
                name="ledgeraccount",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="which account of the hospital's books",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose books"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="debit positive, credit negative"),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_ledger_entry_amount_moves")),
        sa.PrimaryKeyConstraint("posting_id", "account"),
        comment="Ledger entries: debit positive, credit negative, fen.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_ledger_entry_account", "ledger_entry", ["hospital_id", "account"], unique=False)
    op.create_table(
        "ledger_note",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose books"),
        sa.Column(
            "source_id", sa.String(length=40, collation="utf8mb4_bin"), nullable=False, comment="what it is about"
        ),
        sa.Column("text", sa.String(length=200, collation="utf8mb4_bin"), nullable=False, comment="what happened"),
        sa.Column("noted_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("id"),
        comment="What the books could not take up by themselves, for the operator.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "nearby_change",
        sa.Column(
            "kind", sa.String(length=20, collation="utf8mb4_bin"), nullable=False, comment="what is counted: search"
        ),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="the last number given out"),
        sa.Column(
            "epoch",
            mysql.BINARY(16),
            nullable=False,
            comment="which counter this is: numbers of another one mean nothing here",
        ),
        sa.PrimaryKeyConstraint("kind"),
        comment="The counter of changes; who changes a row holds its lock until the commit, so numbers appear in their order.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "nearby_offer",
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="the item"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who offers it"),
        sa.Column("site_id", mysql.BINARY(16), nullable=False, comment="from where, or where"),
        sa.Column("listed", sa.Boolean(), nullable=False, comment="published now"),
        sa.Column(
            "category_code", sa.String(length=20, collation="utf8mb4_bin"), nullable=False, comment="its category"
        ),
        sa.Column("name", sa.String(length=100), nullable=False, comment="name of the published version"),
        sa.Column("picture_url", sa.String(length=500), nullable=True, comment="picture of the published version"),
        sa.Column("duration_min", sa.SmallInteger(), nullable=False, comment="length, minutes"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home, hospital, both",
        ),
        sa.Column(
            "price_fen",
            sa.BigInteger(),
            nullable=False,
            comment="price at home, or in hospital for items done only there, fen",
        ),
        sa.Column("hospital_price_fen", sa.BigInteger(), nullable=False, comment="price in hospital, fen"),
        sa.Column("season_from", sa.Date(), nullable=True, comment="first day of the season, inclusive"),
        sa.Column("season_until", sa.Date(), nullable=True, comment="last day of the season, inclusive"),
        sa.Column(
            "weekdays", sa.SmallInteger(), nullable=False, comment="days its pools open each week, bit 0 is Monday"
        ),
        sa.Column(
            "extra_days", sa.BigInteger(), nullable=False, comment="days opened by exception, bit = day number mod 62"
        ),
        sa.Column("change_number", sa.BigInteger(), nullable=False, comment="number of the last change"),
        sa.PrimaryKeyConstraint("service_id"),
        comment="Searchable facts of services, rewritten in the transaction that changes them; unpublished ones stay, unlisted.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_nearby_offer_change_number"), "nearby_offer", ["change_number"], unique=False)
    op.create_index(op.f("ix_nearby_offer_site_id_listed"), "nearby_offer", ["site_id", "listed"], unique=False)
    op.create_table(
        "nearby_site",
        sa.Column("site_id", mysql.BINARY(16), nullable=False, comment="the site"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose site"),
        sa.Column("hospital_name", sa.String(length=100), nullable=False, comment="name of the hospital"),
        sa.Column(
            "hospital_level",
            sa.Enum(
                "tertiary_a",
                "tertiary_b",
                "secondary_a",
                "secondary_b",
                "primary",
                "community",
                "unrated",
                name="hospitallevel",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="its grade",
        ),
        sa.Column("name", sa.String(length=100), nullable=False, comment="name of the site"),
        sa.Column("address", sa.String(length=200), nullable=False, comment="street address"),
        sa.Column("adcode", sa.String(length=6, collation="utf8mb4_bin"), nullable=False, comment="its district"),
        sa.Column("lat", sa.Double(), nullable=False, comment="latitude, GCJ-02 degrees"),
        sa.Column("lng", sa.Double(), nullable=False, comment="longitude, GCJ-02 degrees"),
        sa.Column("radius_m", sa.Integer(), nullable=False, comment="how far its staff travel, metres"),
        sa.Column(
            "adcodes", sa.JSON(), nullable=False, comment="served district prefixes; empty: the radius alone decides"
        ),
        sa.Column("goes_home", sa.Boolean(), nullable=False, comment="hospital and site visit patients at home"),
        sa.Column("open", sa.Boolean(), nullable=False, comment="the hospital is open"),
        sa.Column("licence_until", sa.Date(), nullable=True, comment="last day of the hospital's licence, inclusive"),
        sa.Column("change_number", sa.BigInteger(), nullable=False, comment="number of the last change"),
        sa.PrimaryKeyConstraint("site_id"),
        comment="Searchable facts of sites and their hospitals, rewritten in the transaction that changes them.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_nearby_site_adcode"), "nearby_site", ["adcode"], unique=False)
    op.create_index(op.f("ix_nearby_site_change_number"), "nearby_site", ["change_number"], unique=False)
    op.create_index(op.f("ix_nearby_site_hospital_id"), "nearby_site", ["hospital_id"], unique=False)
    op.create_index(op.f("ix_nearby_site_lat_lng"), "nearby_site", ["lat", "lng"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7; newest first"),
        sa.Column(
            "audience",
            sa.Enum("account", "hospital", name="audience", native_enum=False, length=32),
            nullable=False,
            comment="account or hospital",
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=True, comment="who is told; null for a hospital"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="whose desk is told; null for an account"),
        sa.Column(
            "kind",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="what happened, for the app to choose a picture",
        ),
        sa.Column("title", sa.String(length=60), nullable=False, comment="fit for a lock screen (RULE-158)"),
        sa.Column("body", mysql.VARBINARY(2064), nullable=False, comment="the sentence, sealed"),
        sa.Column(
            "subject_kind",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="kind of thing it is about",
        ),
        sa.Column(
            "subject_id",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="its id, to open it with",
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was told"),
        sa.Column("read_at", mysql.DATETIME(fsp=6), nullable=True, comment="first seen; null while unread"),
        sa.CheckConstraint(
            "(audience = 'account' AND account_id IS NOT NULL AND hospital_id IS NULL) OR (audience = 'hospital' AND hospital_id IS NOT NULL AND account_id IS NULL)",
            name=op.f("ck_notice_one_audience"),
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Notices: what an account or a hospital's desk is told inside the product.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_notice_account", "notice", ["account_id", "id"], unique=False)
    op.create_index("ix_notice_account_unread", "notice", ["account_id", "read_at"], unique=False)
    op.create_index("ix_notice_hospital", "notice", ["hospital_id", "id"], unique=False)
    op.create_index("ix_notice_hospital_unread", "notice", ["hospital_id", "read_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("aggregatetype", sa.String(length=40), nullable=False, comment="kind of thing the job is about"),
        sa.Column("aggregateid", sa.String(length=40, collation="utf8mb4_bin"), nullable=False, comment="its id"),
        sa.Column(
            "type",
            sa.String(length=60, collation="utf8mb4_bin"),
            nullable=False,
            comment="name of the job in wiring.JOBS",
        ),
        sa.Column("payload", sa.JSON(), nullable=False, comment="arguments: ids only, no personal data"),
        sa.Column(
            "state",
            sa.Enum("ready", "running", "dead", name="jobstate", native_enum=False, length=32),
            nullable=False,
            comment="ready, running, dead; done rows are deleted",
        ),
        sa.Column("run_at", mysql.DATETIME(fsp=6), nullable=False, comment="not before"),
        sa.Column(
            "lease_until", mysql.DATETIME(fsp=6), nullable=True, comment="until when its worker owns it (system clock)"
        ),
        sa.Column("worker", sa.String(length=60, collation="utf8mb4_bin"), nullable=True, comment="who runs it"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="runs so far"),
        sa.Column("last_error", sa.String(length=500), nullable=True, comment="class and reason of the last failure"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.PrimaryKeyConstraint("id"),
        comment="Outbox: work that must follow a commit, until it has been done; what is left here for long is dead letters.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_outbox_due", "outbox", ["state", "run_at", "id"], unique=False)
    op.create_index("ix_outbox_type", "outbox", ["type", "state"], unique=False)
    op.create_table(
        "partner_event",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7; the webhook-id"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who is told"),
        sa.Column("number", sa.BigInteger(), nullable=True, comment="place in the hospital's feed; null until read"),
        sa.Column(
            "type",
            sa.Enum(
                "booking.paid",
                "booking.accepted",
                "booking.assigned",
                "booking.rescheduled",
                "booking.cancelled",
                "visit.departed",
                "visit.arrived",
                "visit.started",
                "visit.finished",
                "visit.confirmed",
                "refund.succeeded",
                "endpoint.test",
                name="eventtype",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="what happened",
        ),
        sa.Column(
            "subject", sa.String(length=40, collation="utf8mb4_bin"), nullable=False, comment="id of what it is about"
        ),
        sa.Column("data", sa.JSON(), nullable=False, comment="ids, numbers, states, amounts; no personal data"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it happened"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hospital_id", "number", name=op.f("uq_partner_event_hospital_id_number")),
        comment="Events that hospitals' systems are told, by webhook and in the feed; never changed but for their number.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_partner_event_hospital_id_created_at"), "partner_event", ["hospital_id", "created_at"], unique=False
    )
    op.create_table(
        "partner_feed",
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose feed"),
        sa.Column("last_number", sa.BigInteger(), nullable=False, comment="numbers up to here are given"),
        sa.PrimaryKeyConstraint("hospital_id"),
        comment="The last number given in each hospital's feed; its row is the lock under which numbers are given.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "payment",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "subject_kind",
            sa.Enum("booking", name="subjectkind", native_enum=False, length=32),
            nullable=False,
            comment="what is paid for",
        ),
        sa.Column(
            "subject_id",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="its id, as on the wire",
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who pays"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who receives"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="fen"),
        sa.Column("currency", sa.String(length=3, collation="utf8mb4_bin"), nullable=False, comment="CNY"),
        sa.Column(
            "description", sa.String(length=127), nullable=False, comment="what the payer reads; no personal data"
        ),
        sa.Column(
            "channel",
            sa.Enum("mini", "app", name="channel", native_enum=False, length=32),
            nullable=False,
            comment="mini-program or app",
        ),
        sa.Column(
            "appid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=False,
            comment="appid (direct) or sp_appid (partner)",
        ),
        sa.Column(
            "mchid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=False,
            comment="mchid (direct) or sp_mchid (partner)",
        ),
        sa.Column(
            "sub_mchid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=True,
            comment="the hospital's merchant; null in direct mode",
        ),
        sa.Column(
            "sub_appid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=True,
            comment="the hospital's own appid, if it has one",
        ),
        sa.Column(
            "payer_openid",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=True,
            comment="who was asked to pay; null in the app",
        ),
        sa.Column("profit_sharing", sa.Boolean(), nullable=False, comment="flagged at prepay, cannot be added later"),
        sa.Column(
            "out_trade_no",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=False,
            comment="our number at WeChat",
        ),
        sa.Column(
            "prepay_id",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=True,
            comment="WeChat's prepay id, good for two hours",
        ),
        sa.Column(
            "state",
            sa.Enum("created", "prepaid", "succeeded", "closed", name="paymentstate", native_enum=False, length=32),
            nullable=False,
            comment="created, prepaid, succeeded, closed",
        ),
        sa.Column(
            "expires_at", mysql.DATETIME(fsp=6), nullable=False, comment="WeChat refuses to take money after this"
        ),
        sa.Column(
            "transaction_id",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=True,
            comment="WeChat's number of the success",
        ),
        sa.Column("paid_at", mysql.DATETIME(fsp=6), nullable=True, comment="WeChat's time of the success"),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False, comment="refunds that are not given up, fen"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_amount_positive")),
        sa.CheckConstraint("refunded_fen >= 0 AND refunded_fen <= amount_fen", name=op.f("ck_payment_refunded_within")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("out_trade_no", name=op.f("uq_payment_out_trade_no")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_payment_transaction_id")),
        comment="Payments: one attempt to collect an amount for one subject, to one hospital's merchant.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_payment_subject", "payment", ["subject_id"], unique=False)
    op.create_table(
        "pool_day",
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="whose day"),
        sa.Column("day", sa.Date(), nullable=False, comment="day in Shanghai"),
        sa.PrimaryKeyConstraint("pool_id", "day"),
        comment="One row per pool and day in Shanghai, made on demand; locked while a place of that day is counted and taken.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "posting",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "kind",
            sa.Enum(
                "payment", "refund", "accrual", "reversal", "release", name="postingkind", native_enum=False, length=32
            ),
            nullable=False,
            comment="which business event",
        ),
        sa.Column(
            "source_id",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="payment, refund or accrual it rests on",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose books"),
        sa.Column(
            "subject_id",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="the booking all of it is about",
        ),
        sa.Column("posted_at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "source_id", name=op.f("uq_posting_kind_source_id")),
        comment="Ledger postings: one business event, whose entries add up to zero; once per kind and source.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_posting_hospital", "posting", ["hospital_id", "id"], unique=False)
    op.create_table(
        "refund",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("payment_id", mysql.BINARY(16), nullable=False, comment="the payment it returns"),
        sa.Column(
            "cause",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=False,
            comment="why, as a code: one refund each",
        ),
        sa.Column("reason", sa.String(length=80), nullable=False, comment="what the payer reads"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="fen"),
        sa.Column(
            "out_refund_no",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=False,
            comment="our number at WeChat",
        ),
        sa.Column("refund_id", sa.String(length=32, collation="utf8mb4_bin"), nullable=True, comment="WeChat's number"),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "processing",
                "succeeded",
                "abnormal",
                "closed",
                name="refundstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="requested, processing, succeeded, abnormal, closed",
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.Column("settled_at", mysql.DATETIME(fsp=6), nullable=True, comment="when WeChat gave its final word"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refund_amount_positive")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("out_refund_no", name=op.f("uq_refund_out_refund_no")),
        sa.UniqueConstraint("payment_id", "cause", name=op.f("uq_refund_payment_id_cause")),
        comment="Refunds: an amount on its way back to the payer, once per payment and cause.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "regional_policy",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "adcode_prefix",
            sa.String(length=6, collation="utf8mb4_bin"),
            nullable=False,
            comment="region of 2, 4 or 6 digits; empty: the country",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="for one hospital only; null for all"),
        sa.Column(
            "item_code", sa.String(length=20, collation="utf8mb4_bin"), nullable=False, comment="the item, such as N05"
        ),
        sa.Column(
            "listing",
            sa.Enum("positive", "negative", "exception", name="listing", native_enum=False, length=32),
            nullable=False,
            comment="positive, negative, exception",
        ),
        sa.Column(
            "reason", sa.String(length=500), nullable=False, comment="the rule in words, or why an exception was made"
        ),
        sa.Column("effective_from", sa.Date(), nullable=False, comment="first day, inclusive"),
        sa.Column("effective_until", sa.Date(), nullable=True, comment="last day, inclusive; null while it holds"),
        sa.Column("created_by", mysql.BINARY(16), nullable=True, comment="operator; null for the installation itself"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was written"),
        sa.PrimaryKeyConstraint("id"),
        comment="Regional policy: which items may be done at home where, by region or for one hospital (RULE-31, RULE-32).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_regional_policy_adcode_prefix_item_code"),
        "regional_policy",
        ["adcode_prefix", "item_code"],
        unique=False,
    )
    op.create_index(op.f("ix_regional_policy_item_code"), "regional_policy", ["item_code"], unique=False)
    op.create_table(
        "sign_in_allowance",
        sa.Column("subject", sa.BINARY(length=32), nullable=False, comment="blind index of what and who"),
        sa.Column(
            "window_began", mysql.DATETIME(fsp=6), nullable=False, comment="start of the counted hour or Shanghai day"
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="how often in this window"),
        sa.Column("last_at", mysql.DATETIME(fsp=6), nullable=False, comment="the last time"),
        sa.PrimaryKeyConstraint("subject"),
        comment="Allowances: how often somebody did something in the current hour or day (RULE-10, A02).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_sign_in_allowance_last_at"), "sign_in_allowance", ["last_at"], unique=False)
    op.create_table(
        "sms_code",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("phone_index", sa.BINARY(length=32), nullable=False, comment="blind index of the phone"),
        sa.Column(
            "purpose",
            sa.Enum("login", name="codepurpose", native_enum=False, length=32),
            nullable=False,
            comment="what it is for",
        ),
        sa.Column("code_hash", sa.BINARY(length=32), nullable=False, comment="peppered HMAC of the code"),
        sa.Column(
            "address_index", sa.BINARY(length=32), nullable=False, comment="blind index of the asker's IP address"
        ),
        sa.Column("tries", sa.Integer(), nullable=False, comment="guesses so far, right or wrong"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was made"),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False, comment="five minutes later"),
        sa.Column("used_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it worked, once"),
        sa.PrimaryKeyConstraint("id"),
        comment="SMS codes: only the newest of a phone and purpose counts (RULE-10).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_sms_code_created_at"), "sms_code", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_sms_code_phone_index_purpose_id"), "sms_code", ["phone_index", "purpose", "id"], unique=False
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose system"),
        sa.Column(
            "url", sa.String(length=500, collation="utf8mb4_bin"), nullable=False, comment="where messages are posted"
        ),
        sa.Column("description", sa.String(length=100), nullable=False, comment="the hospital's own words"),
        sa.Column("event_types", sa.JSON(), nullable=False, comment="types it listens to; empty: all"),
        sa.Column("secret", mysql.VARBINARY(464), nullable=False, comment="signing secret, sealed"),
        sa.Column("old_secret", mysql.VARBINARY(464), nullable=True, comment="signs too until old_until, sealed"),
        sa.Column("old_until", mysql.DATETIME(fsp=6), nullable=True, comment="end of the overlap of a rotation"),
        sa.Column(
            "state",
            sa.Enum("active", "paused", "disabled", name="endpointstate", native_enum=False, length=32),
            nullable=False,
            comment="active, paused, disabled",
        ),
        sa.Column(
            "failing_since", mysql.DATETIME(fsp=6), nullable=True, comment="first failure since the last success"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was added"),
        sa.Column("deleted_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was deleted; its log stays"),
        sa.PrimaryKeyConstraint("id"),
        comment="Webhook endpoints: where a hospital's system wants to be told.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_webhook_endpoint_hospital_id_id"), "webhook_endpoint", ["hospital_id", "id"], unique=False)
    op.create_table(
        "account_role",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who holds it"),
        sa.Column(
            "mode",
            sa.Enum("patient", "clinician", "desk", "operator", "auditor", name="mode", native_enum=False, length=32),
            nullable=False,
            comment="clinician, desk, operator, auditor",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="the tenant of a clinician or a desk"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="false once it was revoked"),
        sa.Column("granted_at", mysql.DATETIME(fsp=6), nullable=False, comment="last granted"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_role_account_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Roles: what an account may be besides a patient, and for which hospital.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_account_role_account_id_mode"), "account_role", ["account_id", "mode"], unique=False)
    op.create_index(op.f("ix_account_role_hospital_id_mode"), "account_role", ["hospital_id", "mode"], unique=False)
    op.create_table(
        "address",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="whose it is"),
        sa.Column("recipient", mysql.VARBINARY(264), nullable=False, comment="who opens the door, sealed"),
        sa.Column("phone", mysql.VARBINARY(144), nullable=False, comment="E.164, sealed"),
        sa.Column("phone_index", sa.BINARY(length=32), nullable=False, comment="blind index of the phone"),
        sa.Column(
            "adcode",
            sa.String(length=6, collation="utf8mb4_bin"),
            nullable=False,
            comment="GB/T 2260 district code (RULE-18)",
        ),
        sa.Column("district", sa.String(length=100), nullable=False, comment="province, city and district in words"),
        sa.Column("detail", mysql.VARBINARY(864), nullable=False, comment="street, house, door, sealed"),
        sa.Column("coordinates", mysql.VARBINARY(264), nullable=False, comment="lat,lng in GCJ-02 degrees, sealed"),
        sa.Column("precise", sa.Boolean(), nullable=False, comment="false when the map knew no more than the street"),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was added"),
        sa.Column("deleted_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the account hid it"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_address_account_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Addresses: where a visit may go; district and adcode stay plain, the rest is sealed.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_address_account_id_id"), "address", ["account_id", "id"], unique=False)
    op.create_index(op.f("ix_address_phone_index"), "address", ["phone_index"], unique=False)
    op.create_table(
        "clinician",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="the person's account"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose staff"),
        sa.Column(
            "kind",
            sa.Enum("nurse", "doctor", name="cliniciankind", native_enum=False, length=32),
            nullable=False,
            comment="nurse or doctor",
        ),
        sa.Column("name", mysql.VARBINARY(264), nullable=False, comment="name, sealed"),
        sa.Column(
            "sex",
            sa.Enum("male", "female", name="sex", native_enum=False, length=32),
            nullable=False,
            comment="for wishes in intimate care (RULE-46)",
        ),
        sa.Column(
            "title",
            sa.Enum(
                "nurse",
                "senior_nurse",
                "supervisor_nurse",
                "deputy_chief_nurse",
                "chief_nurse",
                "resident_doctor",
                "attending_doctor",
                "deputy_chief_doctor",
                "chief_doctor",
                name="title",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="professional title (RULE-22)",
        ),
        sa.Column("specialty", sa.String(length=100), nullable=False, comment="department or speciality, as shown"),
        sa.Column("intro", sa.String(length=1000), nullable=False, comment="introduction for patients"),
        sa.Column("licence_no", mysql.VARBINARY(224), nullable=False, comment="licence number, sealed"),
        sa.Column(
            "licence_valid_until", sa.Date(), nullable=False, comment="last day of the licence, inclusive (RULE-23)"
        ),
        sa.Column(
            "clinical_years", sa.Integer(), nullable=False, comment="full years of clinical work (RULE-22, RULE-24)"
        ),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "verified",
                "rejected",
                "suspended",
                name="clinicianstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="draft, submitted, verified, rejected, suspended",
        ),
        sa.Column("reason", sa.String(length=500), nullable=True, comment="why it was rejected or suspended"),
        sa.Column(
            "verified_at", mysql.DATETIME(fsp=6), nullable=True, comment="last verification by the operator (RULE-21)"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when they were registered"),
        sa.CheckConstraint("clinical_years BETWEEN 0 AND 80", name=op.f("ck_clinician_years")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_clinician_account_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_clinician_hospital_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "hospital_id", name=op.f("uq_clinician_account_id_hospital_id")),
        comment="Clinicians: nurses and doctors, one row per person and hospital.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_clinician_hospital_id_state_id"), "clinician", ["hospital_id", "state", "id"], unique=False
    )
    op.create_index(op.f("ix_clinician_state_id"), "clinician", ["state", "id"], unique=False)
    op.create_table(
        "desk_member",
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="the account that signs in"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose desk"),
        sa.Column("name", mysql.VARBINARY(264), nullable=False, comment="name of the person, sealed"),
        sa.Column("login", sa.String(length=64), nullable=False, comment="what they sign in with"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when they were added"),
        sa.Column("removed_at", mysql.DATETIME(fsp=6), nullable=True, comment="when their right ended"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_desk_member_hospital_id")),
        sa.PrimaryKeyConstraint("account_id"),
        comment="Desk members: names of the people who work at a hospital's management back end; the right itself is a role.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_desk_member_hospital_id_account_id"), "desk_member", ["hospital_id", "account_id"], unique=False
    )
    op.create_table(
        "hospital_move",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="which hospital"),
        sa.Column(
            "state",
            sa.Enum("draft", "open", "suspended", name="hospitalstate", native_enum=False, length=32),
            nullable=False,
            comment="the state it came into",
        ),
        sa.Column("reason", sa.String(length=500), nullable=True, comment="why, in the operator's words"),
        sa.Column(
            "account_id", mysql.BINARY(16), nullable=True, comment="who did it; null for the installation itself"
        ),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_hospital_move_hospital_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="History of hospitals: every change of state with who and why; rows are only added.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_hospital_move_hospital_id_id"), "hospital_move", ["hospital_id", "id"], unique=False)
    op.create_table(
        "licence_review",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose licence"),
        sa.Column(
            "licence_no",
            sa.String(length=30, collation="utf8mb4_bin"),
            nullable=False,
            comment="proposed licence number",
        ),
        sa.Column("licence_valid_until", sa.Date(), nullable=False, comment="proposed last day, inclusive"),
        sa.Column(
            "state",
            sa.Enum("pending", "approved", "refused", name="licencereviewstate", native_enum=False, length=32),
            nullable=False,
            comment="pending, approved, refused",
        ),
        sa.Column("reason", sa.String(length=500), nullable=True, comment="why it was refused"),
        sa.Column("submitted_by", mysql.BINARY(16), nullable=False, comment="desk account that proposed it"),
        sa.Column("submitted_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was proposed"),
        sa.Column("decided_by", mysql.BINARY(16), nullable=True, comment="operator who decided"),
        sa.Column("decided_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was decided"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_licence_review_hospital_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Licences that desks proposed, and what the operator decided; the licence in force stays until one is approved.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_licence_review_hospital_id_id"), "licence_review", ["hospital_id", "id"], unique=False)
    op.create_index(op.f("ix_licence_review_state_id"), "licence_review", ["state", "id"], unique=False)
    op.create_table(
        "patient",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who cares for them"),
        sa.Column(
            "relation",
            sa.Enum(
                "self",
                "spouse",
                "child",
                "parent",
                "other_guardian",
                "authorised",
                name="relation",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="what they are to the account's holder",
        ),
        sa.Column("name", mysql.VARBINARY(264), nullable=False, comment="full name, sealed"),
        sa.Column("name_index", sa.BINARY(length=32), nullable=False, comment="blind index of the name"),
        sa.Column("phone", mysql.VARBINARY(144), nullable=False, comment="E.164, sealed"),
        sa.Column("phone_index", sa.BINARY(length=32), nullable=False, comment="blind index of the phone"),
        sa.Column(
            "sex",
            sa.Enum("male", "female", name="sex", native_enum=False, length=32),
            nullable=False,
            comment="male, female",
        ),
        sa.Column("birth_date", sa.Date(), nullable=False, comment="day of birth"),
        sa.Column("id_no", mysql.VARBINARY(136), nullable=True, comment="ID number, sealed (RULE-01)"),
        sa.Column("id_index", sa.BINARY(length=32), nullable=True, comment="blind index of the ID number"),
        sa.Column(
            "real_name",
            sa.Enum("unverified", "pending", "verified", "rejected", name="realname", native_enum=False, length=32),
            nullable=False,
            comment="unverified, pending, verified, rejected",
        ),
        sa.Column("verified_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the real name was proved"),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when they were added"),
        sa.Column("deleted_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the account hid them"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_patient_account_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Patients: the people an account cares for (RULE-11); deleting hides the row.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_patient_account_id_id"), "patient", ["account_id", "id"], unique=False)
    op.create_index(op.f("ix_patient_id_index"), "patient", ["id_index"], unique=False)
    op.create_index(op.f("ix_patient_name_index"), "patient", ["name_index"], unique=False)
    op.create_index(op.f("ix_patient_phone_index"), "patient", ["phone_index"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who signed in"),
        sa.Column(
            "method",
            sa.Enum("sms", "wechat", "password", name="signinmethod", native_enum=False, length=32),
            nullable=False,
            comment="sms, wechat, password",
        ),
        sa.Column(
            "mode",
            sa.Enum("patient", "clinician", "desk", "operator", "auditor", name="mode", native_enum=False, length=32),
            nullable=False,
            comment="as what, now",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=True, comment="tenant of that mode"),
        sa.Column("device", sa.String(length=60), nullable=False, comment="name of the device, as it called itself"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it began"),
        sa.Column(
            "last_used_at", mysql.DATETIME(fsp=6), nullable=False, comment="last refresh; with a password: last request"
        ),
        sa.Column("expires_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it ends by itself"),
        sa.Column("revoked_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was ended"),
        sa.Column(
            "end_reason",
            sa.Enum(
                "logout",
                "logout_everywhere",
                "token_reused",
                "role_revoked",
                name="endreason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="why it was ended",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Sessions: one sign-in on one device, and the family of its refresh tokens.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_session_account_id_id"), "session", ["account_id", "id"], unique=False)
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose site it is"),
        sa.Column("name", sa.String(length=100), nullable=False, comment="name of the site"),
        sa.Column(
            "adcode",
            sa.String(length=6, collation="utf8mb4_bin"),
            nullable=False,
            comment="GB/T 2260 district code (RULE-18)",
        ),
        sa.Column("address", sa.String(length=200), nullable=False, comment="street address"),
        sa.Column("lat", sa.Double(), nullable=False, comment="latitude, GCJ-02 degrees"),
        sa.Column("lng", sa.Double(), nullable=False, comment="longitude, GCJ-02 degrees"),
        sa.Column("radius_m", sa.Integer(), nullable=False, comment="how far staff travel, metres (RULE-44)"),
        sa.Column(
            "adcodes", sa.JSON(), nullable=False, comment="served districts, prefixes; empty: all within the radius"
        ),
        sa.Column("open_for_home", sa.Boolean(), nullable=False, comment="staff leave from here for home visits"),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was added"),
        sa.CheckConstraint("radius_m BETWEEN 500 AND 100000", name=op.f("ck_site_radius")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_site_hospital_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Sites of hospitals: where patients go, and the area that staff travel to from there.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_site_adcode_hospital_id"), "site", ["adcode", "hospital_id"], unique=False)
    op.create_index(op.f("ix_site_hospital_id_id"), "site", ["hospital_id", "id"], unique=False)
    op.create_table(
        "staff_credential",
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="whose login"),
        sa.Column("login", sa.String(length=64, collation="utf8mb4_bin"), nullable=False, comment="in lower case"),
        sa.Column("password_hash", sa.String(length=200), nullable=False, comment="argon2id"),
        sa.Column("totp_secret", mysql.VARBINARY(320), nullable=True, comment="base32, sealed; null: none"),
        sa.Column("totp_step", sa.BigInteger(), nullable=True, comment="half minute of the last code used"),
        sa.Column("failed", sa.Integer(), nullable=False, comment="failures in a row"),
        sa.Column("locked_until", mysql.DATETIME(fsp=6), nullable=True, comment="no try counts before"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was set up"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_staff_credential_account_id")),
        sa.PrimaryKeyConstraint("account_id"),
        sa.UniqueConstraint("login", name=op.f("uq_staff_credential_login")),
        comment="Logins with a password: desks, operators, auditors.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose log it is in"),
        sa.Column("event_id", mysql.BINARY(16), nullable=False, comment="what is told"),
        sa.Column(
            "event_type",
            sa.Enum(
                "booking.paid",
                "booking.accepted",
                "booking.assigned",
                "booking.rescheduled",
                "booking.cancelled",
                "visit.departed",
                "visit.arrived",
                "visit.started",
                "visit.finished",
                "visit.confirmed",
                "refund.succeeded",
                "endpoint.test",
                name="eventtype",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="its type, for the log",
        ),
        sa.Column("endpoint_id", mysql.BINARY(16), nullable=False, comment="to whom; endpoints are never removed"),
        sa.Column(
            "state",
            sa.Enum("pending", "succeeded", "failed", "replaced", name="deliverystate", native_enum=False, length=32),
            nullable=False,
            comment="pending, succeeded, failed, replaced",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="attempts whose outcome is known"),
        sa.Column("last_status", sa.Integer(), nullable=True, comment="HTTP status of the last answer"),
        sa.Column(
            "last_error",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=True,
            comment="why there was no answer or no attempt",
        ),
        sa.Column("last_attempt_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the last attempt began"),
        sa.Column("next_attempt_at", mysql.DATETIME(fsp=6), nullable=True, comment="not before; null when it is over"),
        sa.Column(
            "response_excerpt", mysql.VARBINARY(2064), nullable=True, comment="beginning of the last answer, sealed"
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was asked for"),
        sa.ForeignKeyConstraint(["event_id"], ["partner_event.id"], name=op.f("fk_webhook_delivery_event_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Deliveries: one event on its way to one endpoint, and what became of it.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_webhook_delivery_endpoint_id_id"), "webhook_delivery", ["endpoint_id", "id"], unique=False)
    op.create_index(
        op.f("ix_webhook_delivery_event_id_endpoint_id"), "webhook_delivery", ["event_id", "endpoint_id"], unique=False
    )
    op.create_index(op.f("ix_webhook_delivery_hospital_id_id"), "webhook_delivery", ["hospital_id", "id"], unique=False)
    op.create_index(
        op.f("ix_webhook_delivery_hospital_id_state_id"),
        "webhook_delivery",
        ["hospital_id", "state", "id"],
        unique=False,
    )
    op.create_table(
        "wechat_identity",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="whose it is"),
        sa.Column(
            "appid",
            sa.String(length=32, collation="utf8mb4_bin"),
            nullable=False,
            comment="the app it is an identity for",
        ),
        sa.Column(
            "openid",
            sa.String(length=64, collation="utf8mb4_bin"),
            nullable=False,
            comment="as WeChat's server told it",
        ),
        sa.Column("bound_at", mysql.DATETIME(fsp=6), nullable=False, comment="when the phone was proved"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_wechat_identity_account_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "appid", name=op.f("uq_wechat_identity_account_id_appid")),
        sa.UniqueConstraint("appid", "openid", name=op.f("uq_wechat_identity_appid_openid")),
        comment="WeChat users of our apps: an openid belongs to one account, and an account has one openid per app.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "booking",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column(
            "order_no",
            sa.String(length=24, collation="utf8mb4_bin"),
            nullable=False,
            comment="number for people: date and 14 random characters",
        ),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who booked and pays"),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="who is visited"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who sends somebody"),
        sa.Column("site_id", mysql.BINARY(16), nullable=False, comment="from where"),
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="what"),
        sa.Column(
            "service_version_id", mysql.BINARY(16), nullable=False, comment="in which published version (RULE-37)"
        ),
        sa.Column(
            "service_code",
            sa.String(length=16, collation="utf8mb4_bin"),
            nullable=False,
            comment="the item's code, for integrations",
        ),
        sa.Column("service_name", sa.String(length=100), nullable=False, comment="the item's name at booking time"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home or hospital",
        ),
        sa.Column(
            "address_id", mysql.BINARY(16), nullable=True, comment="which address was chosen; null at the hospital"
        ),
        sa.Column("address", sa.LargeBinary(65535), nullable=True, comment="its snapshot, sealed"),
        sa.Column("contact", sa.LargeBinary(65535), nullable=False, comment="patient's name and phone, sealed"),
        sa.Column("note", mysql.VARBINARY(2064), nullable=True, comment="what the patient wrote, sealed"),
        sa.Column("starts_at", mysql.DATETIME(fsp=6), nullable=False, comment="planned start"),
        sa.Column("ends_at", mysql.DATETIME(fsp=6), nullable=False, comment="planned end, without buffers"),
        sa.Column(
            "state",
            sa.Enum(
                "held",
                "paid",
                "accepted",
                "assigned",
                "under_way",
                "done",
                "closed",
                "expired",
                "cancelled",
                "refused",
                name="bookingstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="see rules.MOVES; held is read together with hold_until",
        ),
        sa.Column(
            "visit_stage",
            sa.Enum(
                "assigned",
                "departed",
                "arrived",
                "started",
                "finished",
                "confirmed",
                name="visitstage",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="told by visits",
        ),
        sa.Column("hold_until", mysql.DATETIME(fsp=6), nullable=False, comment="until when the unpaid place is held"),
        sa.Column("claim_id", mysql.BINARY(16), nullable=False, comment="the place taken in schedules"),
        sa.Column("total_fen", sa.BigInteger(), nullable=False, comment="sum of the lines, fen"),
        sa.Column("policy", sa.JSON(), nullable=False, comment="cancellation policy shown at booking time"),
        sa.Column("payment_id", mysql.BINARY(16), nullable=True, comment="the payment that counted"),
        sa.Column("paid_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was paid"),
        sa.Column(
            "reschedules", sa.Integer(), nullable=False, comment="how often it was moved to another time (RULE-66)"
        ),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False, comment="refunds that arrived, fen"),
        sa.Column(
            "refund_due_fen",
            sa.BigInteger(),
            nullable=False,
            comment="refunds promised, fen; arrived when equal to refunded",
        ),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was booked"),
        sa.CheckConstraint("total_fen > 0", name=op.f("ck_booking_total_positive")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_booking_hospital_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_booking_patient_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("claim_id", name=op.f("uq_booking_claim_id")),
        sa.UniqueConstraint("order_no", name=op.f("uq_booking_order_no")),
        comment="Bookings: one visit promised to one patient, with everything it was promised under.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_booking_account", "booking", ["account_id", "id"], unique=False)
    op.create_index("ix_booking_hospital", "booking", ["hospital_id", "state", "id"], unique=False)
    op.create_index("ix_booking_patient", "booking", ["patient_id", "starts_at"], unique=False)
    op.create_table(
        "clinician_leave",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who is away"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="from which hospital"),
        sa.Column("first", mysql.DATETIME(fsp=6), nullable=False, comment="from when"),
        sa.Column("last", mysql.DATETIME(fsp=6), nullable=False, comment="until when, exclusive"),
        sa.Column("reason", mysql.VARBINARY(864), nullable=False, comment="why, for the desk; sealed"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was entered"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_clinician_leave_clinician_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_clinician_leave_hospital_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Leave of clinicians; the period is half-open.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_clinician_leave_clinician_id_last"), "clinician_leave", ["clinician_id", "last"], unique=False
    )
    op.create_index(
        op.f("ix_clinician_leave_hospital_id_last"), "clinician_leave", ["hospital_id", "last"], unique=False
    )
    op.create_table(
        "pool",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="whose pool"),
        sa.Column("site_id", mysql.BINARY(16), nullable=False, comment="where it works or starts from"),
        sa.Column("name", sa.String(length=100), nullable=False, comment="name for the desk"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home, hospital, both: where it serves",
        ),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="visits at the same time, buffers included"),
        sa.Column(
            "lead_minutes", sa.Integer(), nullable=False, comment="least notice before a visit, minutes (RULE-44)"
        ),
        sa.Column(
            "horizon_days", sa.SmallInteger(), nullable=False, comment="how many days ahead can be booked (RULE-44)"
        ),
        sa.Column("night", sa.Boolean(), nullable=False, comment="may open outside 08:00-20:00 (RULE-44)"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="offers slots at all"),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="counts every change of pool, hours, roster, leave; the ETag",
        ),
        sa.CheckConstraint("capacity BETWEEN 0 AND 1000", name=op.f("ck_pool_capacity")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_pool_hospital_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pool_site_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Pools (班组): people or rooms of a site that can serve so many visits at the same time.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_pool_hospital_id_id"), "pool", ["hospital_id", "id"], unique=False)
    op.create_index(op.f("ix_pool_site_id"), "pool", ["site_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.BINARY(length=32), nullable=False, comment="SHA-256 of the token"),
        sa.Column("session_id", mysql.BINARY(16), nullable=False, comment="its family"),
        sa.Column("issued_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was handed out"),
        sa.Column("used_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was redeemed or replaced"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_refresh_token_session_id")),
        sa.PrimaryKeyConstraint("hash"),
        comment="Refresh tokens: each works once; a second use ends the session.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_refresh_token_session_id"), "refresh_token", ["session_id"], unique=False)
    op.create_table(
        "service",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who offers it"),
        sa.Column("site_id", mysql.BINARY(16), nullable=False, comment="from where, or where"),
        sa.Column(
            "category_code", sa.String(length=20, collation="utf8mb4_bin"), nullable=False, comment="its category"
        ),
        sa.Column(
            "code",
            sa.String(length=20, collation="utf8mb4_bin"),
            nullable=False,
            comment="item code of the regional lists, such as N05 (RULE-31)",
        ),
        sa.Column(
            "state",
            sa.Enum("draft", "published", "suspended", "retired", name="servicestate", native_enum=False, length=32),
            nullable=False,
            comment="draft, published, suspended, retired",
        ),
        sa.Column("current", mysql.BINARY(16), nullable=True, comment="the version last published"),
        sa.Column("draft", sa.JSON(), nullable=True, comment="edits that wait for publication"),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts edits; the ETag"),
        sa.Column(
            "name",
            sa.String(length=100),
            nullable=False,
            comment="name (of the version; of the draft before the first)",
        ),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home, hospital, both (same source as name)",
        ),
        sa.Column(
            "price_fen", sa.BigInteger(), nullable=False, comment="price shown in lists, fen (same source as name)"
        ),
        sa.Column("season_from", sa.Date(), nullable=True, comment="first day of the season, inclusive"),
        sa.Column("season_until", sa.Date(), nullable=True, comment="last day of the season, inclusive"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when the desk made it"),
        sa.CheckConstraint("price_fen >= 0", name=op.f("ck_service_price")),
        sa.ForeignKeyConstraint(["category_code"], ["category.code"], name=op.f("fk_service_category_code")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_service_hospital_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_service_site_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Services: items a site offers; name, place, price and season are copies of the published version.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_service_hospital_id_state_id"), "service", ["hospital_id", "state", "id"], unique=False)
    op.create_index(
        op.f("ix_service_site_id_state_category_code"), "service", ["site_id", "state", "category_code"], unique=False
    )
    op.create_table(
        "booking_line",
        sa.Column("booking_id", mysql.BINARY(16), nullable=False, comment="its booking"),
        sa.Column("position", sa.Integer(), nullable=False, comment="order on the bill"),
        sa.Column(
            "kind",
            sa.String(length=24, collation="utf8mb4_bin"),
            nullable=False,
            comment="visit_fee, item_fee, material_fee, travel_fee",
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False, comment="fen"),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_booking_line_booking_id")),
        sa.PrimaryKeyConstraint("booking_id", "position"),
        comment="Price lines of a booking; they add up to its total (RULE-34).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "booking_move",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("booking_id", mysql.BINARY(16), nullable=False, comment="its booking"),
        sa.Column(
            "from_state",
            sa.Enum(
                "held",
                "paid",
                "accepted",
                "assigned",
                "under_way",
                "done",
                "closed",
                "expired",
                "cancelled",
                "refused",
                name="bookingstate",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="null for the first",
        ),
        sa.Column(
            "to_state",
            sa.Enum(
                "held",
                "paid",
                "accepted",
                "assigned",
                "under_way",
                "done",
                "closed",
                "expired",
                "cancelled",
                "refused",
                name="bookingstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="where it went",
        ),
        sa.Column(
            "stage",
            sa.Enum(
                "assigned",
                "departed",
                "arrived",
                "started",
                "finished",
                "confirmed",
                name="visitstage",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="visit stage, when that is what changed",
        ),
        sa.Column(
            "actor",
            sa.Enum("patient", "desk", "clinician", "system", name="actorkind", native_enum=False, length=32),
            nullable=False,
            comment="who",
        ),
        sa.Column(
            "actor_id",
            sa.String(length=40, collation="utf8mb4_bin"),
            nullable=True,
            comment="account of the actor; null for the system",
        ),
        sa.Column("reason", mysql.VARBINARY(864), nullable=True, comment="why, as told; sealed"),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_booking_move_booking_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="History of a booking: one row a move, never changed.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_booking_move_booking", "booking_move", ["booking_id", "id"], unique=False)
    op.create_table(
        "pool_service",
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="the item"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home or hospital, never both",
        ),
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="the pool it draws from"),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_pool_service_pool_id")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_pool_service_service_id")),
        sa.PrimaryKeyConstraint("service_id", "place"),
        comment="Which service draws from which pool, one pool per service and place.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_pool_service_pool_id"), "pool_service", ["pool_id"], unique=False)
    op.create_table(
        "roster",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who works"),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="for which hospital"),
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="in which pool"),
        sa.Column("weekday", sa.SmallInteger(), nullable=False, comment="0 Monday to 6 Sunday, Shanghai"),
        sa.Column("start_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai"),
        sa.Column(
            "end_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai, exclusive"
        ),
        sa.Column(
            "max_visits_a_day", sa.SmallInteger(), nullable=False, comment="most visits of this person a day (RULE-45)"
        ),
        sa.CheckConstraint(
            "0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440", name=op.f("ck_roster_hours")
        ),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_roster_weekday")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_roster_clinician_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_roster_hospital_id")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_roster_pool_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Weekly hours of clinicians in pools; a pool with a roster never offers more visits than people on duty.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_roster_clinician_id_weekday"), "roster", ["clinician_id", "weekday"], unique=False)
    op.create_index(op.f("ix_roster_hospital_id_weekday"), "roster", ["hospital_id", "weekday"], unique=False)
    op.create_index(op.f("ix_roster_pool_id_weekday"), "roster", ["pool_id", "weekday"], unique=False)
    op.create_table(
        "schedule_exception",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7; the order of effect"),
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="whose hours"),
        sa.Column("day", sa.Date(), nullable=False, comment="day in Shanghai"),
        sa.Column(
            "kind",
            sa.Enum("closed", "open", name="exceptionkind", native_enum=False, length=32),
            nullable=False,
            comment="closed, open",
        ),
        sa.Column("start_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai"),
        sa.Column(
            "end_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai, exclusive"
        ),
        sa.Column("step_minutes", sa.SmallInteger(), nullable=False, comment="distance between two starts, when open"),
        sa.Column("capacity", sa.Integer(), nullable=True, comment="places when open; null: the pool's own"),
        sa.Column("reason", sa.String(length=200), nullable=False, comment="why, for the desk"),
        sa.Column("created_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was entered"),
        sa.CheckConstraint(
            "0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440",
            name=op.f("ck_schedule_exception_hours"),
        ),
        sa.CheckConstraint("step_minutes > 0", name=op.f("ck_schedule_exception_step")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_schedule_exception_pool_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Hours of one day closed, or opened on top of the template; a later row goes over an earlier one.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_schedule_exception_pool_id_day"), "schedule_exception", ["pool_id", "day"], unique=False)
    op.create_table(
        "schedule_template",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("pool_id", mysql.BINARY(16), nullable=False, comment="whose hours"),
        sa.Column("weekday", sa.SmallInteger(), nullable=False, comment="0 Monday to 6 Sunday, Shanghai"),
        sa.Column("start_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai"),
        sa.Column(
            "end_minute", sa.SmallInteger(), nullable=False, comment="minutes after midnight in Shanghai, exclusive"
        ),
        sa.Column("step_minutes", sa.SmallInteger(), nullable=False, comment="distance between two starts"),
        sa.Column("capacity", sa.Integer(), nullable=True, comment="places in these hours; null: the pool's own"),
        sa.CheckConstraint(
            "0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440",
            name=op.f("ck_schedule_template_hours"),
        ),
        sa.CheckConstraint("step_minutes > 0", name=op.f("ck_schedule_template_step")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_schedule_template_weekday")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_schedule_template_pool_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="Weekly opening hours of pools; slots start every `step_minutes` from the start of the window.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(
        op.f("ix_schedule_template_pool_id_weekday"), "schedule_template", ["pool_id", "weekday"], unique=False
    )
    op.create_table(
        "service_move",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="which service"),
        sa.Column(
            "state",
            sa.Enum("draft", "published", "suspended", "retired", name="servicestate", native_enum=False, length=32),
            nullable=False,
            comment="the state it came into",
        ),
        sa.Column("version_id", mysql.BINARY(16), nullable=True, comment="the version in force then"),
        sa.Column("reason", sa.String(length=500), nullable=True, comment="why, in the desk's words"),
        sa.Column(
            "account_id", mysql.BINARY(16), nullable=True, comment="who did it; null for the installation itself"
        ),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_move_service_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="History of services: every change of state with who and why; rows are only added.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_service_move_service_id_id"), "service_move", ["service_id", "id"], unique=False)
    op.create_table(
        "service_version",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("service_id", mysql.BINARY(16), nullable=False, comment="whose version"),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 … per service"),
        sa.Column("name", sa.String(length=100), nullable=False, comment="name of the item"),
        sa.Column("intro", sa.Text(), nullable=False, comment="what is done"),
        sa.Column("tips", sa.Text(), nullable=False, comment="how to prepare"),
        sa.Column("cautions", sa.Text(), nullable=False, comment="what to beware of"),
        sa.Column("picture_url", sa.String(length=500), nullable=True, comment="https address of a picture"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home, hospital, both",
        ),
        sa.Column("duration_min", sa.Integer(), nullable=False, comment="length, minutes"),
        sa.Column("buffer_before_min", sa.Integer(), nullable=False, comment="kept free before, minutes"),
        sa.Column("buffer_after_min", sa.Integer(), nullable=False, comment="kept free after, minutes"),
        sa.Column("lead_minutes", sa.Integer(), nullable=False, comment="shortest notice, minutes (RULE-44)"),
        sa.Column(
            "risk_grade",
            sa.Enum("L", "M", "H", name="riskgrade", native_enum=False, length=32),
            nullable=False,
            comment="L, M, H (RULE-30)",
        ),
        sa.Column("clinical", sa.Boolean(), nullable=False, comment="only for licensed staff (RULE-29)"),
        sa.Column("skills", sa.JSON(), nullable=False, comment="titles and skills that are needed (RULE-30)"),
        sa.Column("prerequisites", sa.Text(), nullable=False, comment="what must be there before (RULE-30)"),
        sa.Column("contraindications", sa.Text(), nullable=False, comment="for whom it is not (RULE-30)"),
        sa.Column("consumables", sa.Text(), nullable=False, comment="what is used up (RULE-30)"),
        sa.Column("medical_waste", sa.Boolean(), nullable=False, comment="leaves medical waste (RULE-30)"),
        sa.Column(
            "requires_order", sa.Boolean(), nullable=False, comment="needs a prescription or a doctor's order (RULE-33)"
        ),
        sa.Column("visit_fee_fen", sa.BigInteger(), nullable=False, comment="for coming, fen; home only"),
        sa.Column("item_fee_fen", sa.BigInteger(), nullable=False, comment="for the item, fen"),
        sa.Column("material_fee_fen", sa.BigInteger(), nullable=False, comment="for material, fen"),
        sa.Column("travel_fee_fen", sa.BigInteger(), nullable=False, comment="for travel, fen; home only"),
        sa.Column(
            "price_fen",
            sa.BigInteger(),
            nullable=False,
            comment="sum at home, or in hospital for items done only there, fen",
        ),
        sa.Column("season_from", sa.Date(), nullable=True, comment="first day of the season, inclusive"),
        sa.Column("season_until", sa.Date(), nullable=True, comment="last day of the season, inclusive"),
        sa.Column("published_at", mysql.DATETIME(fsp=6), nullable=False, comment="when it was published"),
        sa.Column(
            "published_by",
            mysql.BINARY(16),
            nullable=True,
            comment="who published it; null for the installation itself",
        ),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_service_version_service_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("service_id", "number", name=op.f("uq_service_version_service_id_number")),
        comment="Published versions of services: what patients saw and bought; rows are never changed (RULE-37).",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_table(
        "visit",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("booking_id", mysql.BINARY(16), nullable=False, comment="the booking it fulfils"),
        sa.Column(
            "order_no",
            sa.String(length=24, collation="utf8mb4_bin"),
            nullable=False,
            comment="the booking's number for people",
        ),
        sa.Column("hospital_id", mysql.BINARY(16), nullable=False, comment="who sends somebody"),
        sa.Column(
            "clinician_id", mysql.BINARY(16), nullable=False, comment="who is sent; the last one, when it is cancelled"
        ),
        sa.Column(
            "clinician_account_id",
            mysql.BINARY(16),
            nullable=False,
            comment="the person's account, the same at every hospital",
        ),
        sa.Column("patient_id", mysql.BINARY(16), nullable=False, comment="who is visited"),
        sa.Column("account_id", mysql.BINARY(16), nullable=False, comment="who booked and confirms"),
        sa.Column(
            "place",
            sa.Enum("home", "hospital", "both", name="place", native_enum=False, length=32),
            nullable=False,
            comment="home or hospital",
        ),
        sa.Column("starts_at", mysql.DATETIME(fsp=6), nullable=False, comment="planned start"),
        sa.Column("ends_at", mysql.DATETIME(fsp=6), nullable=False, comment="planned end"),
        sa.Column(
            "busy_from",
            mysql.DATETIME(fsp=6),
            nullable=False,
            comment="from when the clinician is busy: the way there (RULE-45)",
        ),
        sa.Column(
            "busy_until",
            mysql.DATETIME(fsp=6),
            nullable=False,
            comment="until when, exclusive; earlier once the visit ended early",
        ),
        sa.Column(
            "stage",
            sa.Enum(
                "assigned",
                "departed",
                "arrived",
                "started",
                "finished",
                "confirmed",
                "cancelled",
                name="stage",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="assigned, departed, arrived, started, finished, confirmed, cancelled",
        ),
        sa.Column(
            "assigned_at", mysql.DATETIME(fsp=6), nullable=False, comment="when the present clinician was assigned"
        ),
        sa.Column(
            "departed_at", mysql.DATETIME(fsp=6), nullable=True, comment="when they set out; null at the hospital"
        ),
        sa.Column(
            "arrived_at",
            mysql.DATETIME(fsp=6),
            nullable=True,
            comment="when they were there; at the hospital the patient",
        ),
        sa.Column(
            "checked_in_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the patient's code was typed (RULE-54)"
        ),
        sa.Column("started_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the service began"),
        sa.Column("finished_at", mysql.DATETIME(fsp=6), nullable=True, comment="when the service ended"),
        sa.Column(
            "confirms_at", mysql.DATETIME(fsp=6), nullable=True, comment="when silence confirms it, promised at the end"
        ),
        sa.Column("confirmed_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was confirmed"),
        sa.Column("cancelled_at", mysql.DATETIME(fsp=6), nullable=True, comment="when it was cancelled or taken back"),
        sa.Column("distance_m", sa.Integer(), nullable=True, comment="from the address at arrival, metres"),
        sa.Column(
            "arrival_reason",
            sa.Enum(
                "gps_unreliable",
                "address_misplaced",
                "no_access",
                "met_elsewhere",
                "other",
                name="arrivalreason",
                native_enum=False,
                length=32,
            ),
            nullable=True,
            comment="why it was farther than 500 m (RULE-55)",
        ),
        sa.Column("record", sa.LargeBinary(65535), nullable=True, comment="nursing record, sealed (RULE-59)"),
        sa.Column("finished_by", mysql.BINARY(16), nullable=True, comment="who wrote the record"),
        sa.Column(
            "confirmed_by",
            sa.Enum("patient", "silence", name="confirmer", native_enum=False, length=32),
            nullable=True,
            comment="patient, silence",
        ),
        sa.Column("code_failures", sa.Integer(), nullable=False, comment="wrong check-in codes since the last pause"),
        sa.Column(
            "code_blocked_until", mysql.DATETIME(fsp=6), nullable=True, comment="no check-in code is taken before"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts the changes"),
        sa.CheckConstraint(
            "busy_from <= starts_at AND starts_at < ends_at AND busy_from <= busy_until", name=op.f("ck_visit_order")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_visit_booking_id")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("booking_id", name=op.f("uq_visit_booking_id")),
        comment="Visits: who comes to whom, when, and how far it is.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index("ix_visit_clinician", "visit", ["clinician_id", "busy_from"], unique=False)
    op.create_index("ix_visit_hospital", "visit", ["hospital_id", "starts_at", "id"], unique=False)
    op.create_index("ix_visit_patient", "visit", ["patient_id", "hospital_id"], unique=False)
    op.create_index("ix_visit_person", "visit", ["clinician_account_id", "busy_from"], unique=False)
    op.create_table(
        "visit_step",
        sa.Column("id", mysql.BINARY(16), nullable=False, comment="UUIDv7"),
        sa.Column("visit_id", mysql.BINARY(16), nullable=False, comment="which visit"),
        sa.Column(
            "stage",
            sa.Enum(
                "assigned",
                "departed",
                "arrived",
                "started",
                "finished",
                "confirmed",
                "cancelled",
                name="stage",
                native_enum=False,
                length=32,
            ),
            nullable=False,
            comment="the stage it came into, or was in",
        ),
        sa.Column(
            "actor",
            sa.Enum("patient", "desk", "clinician", "system", name="actorkind", native_enum=False, length=32),
            nullable=False,
            comment="patient, desk, clinician, system",
        ),
        sa.Column("actor_id", mysql.BINARY(16), nullable=True, comment="account of the actor; null for the system"),
        sa.Column("clinician_id", mysql.BINARY(16), nullable=False, comment="who was assigned after this step"),
        sa.Column("at", mysql.DATETIME(fsp=6), nullable=False, comment="when, by the server's clock"),
        sa.Column("client_time", mysql.DATETIME(fsp=6), nullable=True, comment="when, by the phone's clock"),
        sa.Column(
            "position",
            sa.LargeBinary(65535),
            nullable=True,
            comment="lat, lng (GCJ-02) and accuracy_m, sealed (RULE-55)",
        ),
        sa.Column("reason", mysql.VARBINARY(864), nullable=True, comment="why, in the actor's words; sealed"),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_step_visit_id")),
        sa.PrimaryKeyConstraint("id"),
        comment="History of visits: one row a step, never changed.",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )
    op.create_index(op.f("ix_visit_step_visit_id_id"), "visit_step", ["visit_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("visit_step")
    op.drop_table("visit")
    op.drop_table("service_version")
    op.drop_table("service_move")
    op.drop_table("schedule_template")
    op.drop_table("schedule_exception")
    op.drop_table("roster")
    op.drop_table("pool_service")
    op.drop_table("booking_move")
    op.drop_table("booking_line")
    op.drop_table("service")
    op.drop_table("refresh_token")
    op.drop_table("pool")
    op.drop_table("clinician_leave")
    op.drop_table("booking")
    op.drop_table("wechat_identity")
    op.drop_table("webhook_delivery")
    op.drop_table("staff_credential")
    op.drop_table("site")
    op.drop_table("session")
    op.drop_table("patient")
    op.drop_table("licence_review")
    op.drop_table("hospital_move")
    op.drop_table("desk_member")
    op.drop_table("clinician")
    op.drop_table("address")
    op.drop_table("account_role")
    op.drop_table("webhook_endpoint")
    op.drop_table("sms_code")
    op.drop_table("sign_in_allowance")
    op.drop_table("regional_policy")
    op.drop_table("refund")
    op.drop_table("posting")
    op.drop_table("pool_day")
    op.drop_table("payment")
    op.drop_table("partner_feed")
    op.drop_table("partner_event")
    op.drop_table("outbox")
    op.drop_table("notice")
    op.drop_table("nearby_site")
    op.drop_table("nearby_offer")
    op.drop_table("nearby_change")
    op.drop_table("ledger_note")
    op.drop_table("ledger_entry")
    op.drop_table("inbox")
    op.drop_table("idempotency_key")
    op.drop_table("hospital")
    op.drop_table("fee_rate")
    op.drop_table("claim")
    op.drop_table("category")
    op.drop_table("accrual")
    op.drop_table("account")

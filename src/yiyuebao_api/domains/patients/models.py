"""Rows of patients: people and addresses of an account."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BINARY, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.domains.patients.rules import RealName, Relation, Sex, point_of
from yiyuebao_api.kernel.database import Model, code_column
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import AccountId, AddressId, PatientId
from yiyuebao_api.kernel.secrets import Sealed


class Patient(Model):
    """Patients: the people an account cares for (RULE-11); deleting hides the row."""

    __tablename__ = "patient"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "name_index"),
        Index(None, "phone_index"),
        Index(None, "id_index"),
    )

    id: Mapped[PatientId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="who cares for them")
    relation: Mapped[Relation] = mapped_column(comment="what they are to the account's holder")
    name: Mapped[str] = mapped_column(Sealed("patients.name", 50), comment="full name, sealed")
    name_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the name")
    phone: Mapped[str] = mapped_column(Sealed("patients.phone", 20), comment="E.164, sealed")
    phone_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the phone")
    sex: Mapped[Sex] = mapped_column(comment="male, female")
    birth_date: Mapped[date] = mapped_column(comment="day of birth")
    id_no: Mapped[str | None] = mapped_column(Sealed("patients.id_no", 18), comment="ID number, sealed (RULE-01)")
    id_index: Mapped[bytes | None] = mapped_column(BINARY(32), comment="blind index of the ID number")
    real_name: Mapped[RealName] = mapped_column(comment="unverified, pending, verified, rejected")
    verified_at: Mapped[datetime | None] = mapped_column(comment="when the real name was proved")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when they were added")
    deleted_at: Mapped[datetime | None] = mapped_column(comment="when the account hid them")


class Address(Model):
    """Addresses: where a visit may go; district and adcode stay plain, the rest is sealed."""

    __tablename__ = "address"
    __table_args__ = (Index(None, "account_id", "id"), Index(None, "phone_index"))

    id: Mapped[AddressId] = mapped_column(primary_key=True, comment="UUIDv7")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), comment="whose it is")
    recipient: Mapped[str] = mapped_column(Sealed("addresses.recipient", 50), comment="who opens the door, sealed")
    phone: Mapped[str] = mapped_column(Sealed("addresses.phone", 20), comment="E.164, sealed")
    phone_index: Mapped[bytes] = mapped_column(BINARY(32), comment="blind index of the phone")
    adcode: Mapped[str] = mapped_column(code_column(6), comment="GB/T 2260 district code (RULE-18)")
    district: Mapped[str] = mapped_column(String(100), comment="province, city and district in words")
    detail: Mapped[str] = mapped_column(Sealed("addresses.detail", 200), comment="street, house, door, sealed")
    coordinates: Mapped[str] = mapped_column(Sealed("addresses.point", 50), comment="lat,lng in GCJ-02 degrees, sealed")
    precise: Mapped[bool] = mapped_column(comment="false when the map knew no more than the street")
    version: Mapped[int] = mapped_column(comment="counts edits; the ETag")
    created_at: Mapped[datetime] = mapped_column(comment="when it was added")
    deleted_at: Mapped[datetime | None] = mapped_column(comment="when the account hid it")

    @property
    def point(self) -> Point:
        """The door on the map, GCJ-02."""
        return point_of(self.coordinates)

    @point.setter
    def point(self, point: Point) -> None:
        self.coordinates = f"{point.lat:.7f},{point.lng:.7f}"

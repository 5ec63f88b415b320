"""Nobody pays a price that was not shown: a booking may say what it was quoted, and is refused when that changed."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.bookings import Customer, Offered, make_customer, make_offer
from tests.scenes.catalogue import COMPLETE
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.catalogue.models import Service
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel.ids import ServiceVersionId

NEW = 24_500 + 1_000


async def dearer(context: Context, offered: Offered, **changes: Any) -> None:
    """The desk publishes another version, ten yuan dearer unless told otherwise."""
    path = f"/v1/hospital/catalogue/services/{offered.service.id}"
    async with context.begin() as tx:
        version = (await tx.get_one(Service, offered.service.id)).version
    body = {**COMPLETE, "item_fee_fen": 10_000, **changes}
    edited = await offered.desk.put(path, json=body, version=version)
    assert edited.status_code == 200, edited.text
    published = await offered.desk.post(f"{path}/publish")
    assert published.status_code == 200, published.text


async def quoted(customer: Customer, wish: dict[str, Any]) -> dict[str, Any]:
    answer = await customer.api.post("/v1/bookings/quote", json=wish)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def count(context: Context, model: type) -> int:
    async with context.begin() as tx:
        return (await tx.scalar(select(func.count()).select_from(model))) or 0


async def test_a_new_version_is_not_booked_under_the_old_quote(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    wish = customer.wish(offered)
    quote = await quoted(customer, wish)
    wish["service_version_id"] = quote["service_version_id"]
    await dearer(context, offered)
    told = refused(await customer.api.post("/v1/bookings", key="a", json=wish), 409, "quote-outdated")
    assert told["total_fen"] == NEW
    assert "255.00" in told["detail"]
    assert await count(context, Booking) == await count(context, Claim) == 0
    anew = await quoted(customer, wish)  # the same body again: a quote is never outdated
    assert (anew["total_fen"], anew["service_version_id"]) == (NEW, told["service_version_id"])
    wish["service_version_id"] = anew["service_version_id"]
    made = await customer.api.post("/v1/bookings", key="a", json=wish)  # a refusal uses up no key
    assert made.status_code == 201, made.text
    assert (made.json()["total_fen"], made.json()["service_version_id"]) == (NEW, anew["service_version_id"])


async def test_other_words_at_the_same_price_are_another_version(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    wish = customer.wish(offered)
    wish["service_version_id"] = (await quoted(customer, wish))["service_version_id"]
    await dearer(context, offered, item_fee_fen=COMPLETE["item_fee_fen"], cautions="服务前需空腹。")
    told = refused(await customer.api.post("/v1/bookings", key="a", json=wish), 409, "quote-outdated")
    assert told["total_fen"] == 24_500


async def test_without_a_quote_the_version_in_force_is_booked(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    await dearer(context, offered)
    made = await customer.api.post("/v1/bookings", key="a", json=customer.wish(offered))
    assert (made.status_code, made.json()["total_fen"]) == (201, NEW)


async def test_a_version_of_nothing_and_no_id_at_all(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    other = {**customer.wish(offered), "service_version_id": str(ServiceVersionId.new())}
    refused(await customer.api.post("/v1/bookings", key="a", json=other), 409, "quote-outdated")
    refused(
        await customer.api.post("/v1/bookings", key="b", json={**other, "service_version_id": str(offered.service.id)}),
        422, "invalid-input",
    )  # fmt: skip
    assert await count(context, Booking) == 0


async def test_a_desk_publishes_while_many_book(api: Api, context: Context) -> None:
    """Whoever booked pays what was shown; everybody else was refused and holds no place."""
    offered = await make_offer(api, context, capacity=30)
    customers = [await make_customer(api, context) for _ in range(20)]
    wishes = [each.wish(offered) for each in customers]
    version = (await quoted(customers[0], wishes[0]))["service_version_id"]

    async def book(customer: Customer, wish: dict[str, Any], late: float) -> Any:
        await asyncio.sleep(late)
        body = {**wish, "service_version_id": version}
        return await customer.api.post("/v1/bookings", key=secrets.token_hex(8), json=body)

    *answers, _ = await asyncio.gather(
        *(book(who, wish, number * 0.01) for number, (who, wish) in enumerate(zip(customers, wishes, strict=True))),
        dearer(context, offered),
    )
    made = [each.json() for each in answers if each.status_code == 201]
    left = [each.json() for each in answers if each.status_code != 201]
    assert {each["total_fen"] for each in made} <= {24_500}
    assert {(each["code"], each["total_fen"]) for each in left} <= {("quote-outdated", NEW)}
    assert len(made) + len(left) == len(customers)
    assert await count(context, Booking) == await count(context, Claim) == len(made)

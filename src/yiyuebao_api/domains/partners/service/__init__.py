"""Use cases of partners: endpoints of the desk, events of the other domains, deliveries of the worker."""

from yiyuebao_api.domains.partners.service.deliveries import DELIVER, deliver, replay_delivery
from yiyuebao_api.domains.partners.service.endpoints import (
    create_endpoint,
    delete_endpoint,
    edit_endpoint,
    recover_events,
    rotate_secret,
    test_endpoint,
)
from yiyuebao_api.domains.partners.service.events import publish, read_feed
from yiyuebao_api.domains.partners.service.forgetting import purge_deliveries, purge_events

__all__ = [
    "DELIVER", "create_endpoint", "delete_endpoint", "deliver", "edit_endpoint", "publish", "purge_deliveries",
    "purge_events", "read_feed", "recover_events", "replay_delivery", "rotate_secret", "test_endpoint",
]  # fmt: skip

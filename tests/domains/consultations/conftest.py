"""The service on a port, for sockets."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.client import Api
from yiyuebao_api.context import Context


@pytest.fixture
def url(api: Api, context: Context) -> str:
    """Where the application listens in this run."""
    return f"http://127.0.0.1:{urlsplit(context.settings.wechat_pay.notify_base_url).port}"

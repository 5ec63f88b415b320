"""Use cases of privacy: a copy of what is held, and the end of an account."""

from yiyuebao_api.domains.privacy.service.closing import close_account
from yiyuebao_api.domains.privacy.service.exports import ask_for_export, make_export, read_export, sweep

__all__ = ["ask_for_export", "close_account", "make_export", "read_export", "sweep"]

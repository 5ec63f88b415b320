"""What the platform's own people do: take queued work, read the audit."""

from yiyuebao_api.domains.operations.service.looking import every_entry, note_audit_search
from yiyuebao_api.domains.operations.service.queues import claim_work, release_work

__all__ = ["claim_work", "every_entry", "note_audit_search", "release_work"]

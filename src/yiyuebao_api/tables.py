"""Every table of the service, for Alembic and for tests; nothing else."""

from yiyuebao_api.domains.accounts import models as accounts
from yiyuebao_api.domains.bookings import models as bookings
from yiyuebao_api.domains.catalogue import models as catalogue
from yiyuebao_api.domains.clinicians import models as clinicians
from yiyuebao_api.domains.consents import models as consents
from yiyuebao_api.domains.consultations import models as consultations
from yiyuebao_api.domains.files import models as files
from yiyuebao_api.domains.grants import models as grants
from yiyuebao_api.domains.hospitals import models as hospitals
from yiyuebao_api.domains.identities import models as identities
from yiyuebao_api.domains.nearby import models as nearby
from yiyuebao_api.domains.notices import models as notices
from yiyuebao_api.domains.operations import models as operations
from yiyuebao_api.domains.partners import models as partners
from yiyuebao_api.domains.patients import models as patients
from yiyuebao_api.domains.payments import models as payments
from yiyuebao_api.domains.privacy import models as privacy
from yiyuebao_api.domains.schedules import models as schedules
from yiyuebao_api.domains.settlements import models as settlements
from yiyuebao_api.domains.visits import models as visits
from yiyuebao_api.kernel import audit, idempotency, inbox, outbox, presence, tickets
from yiyuebao_api.kernel.database import Model

metadata = Model.metadata

__all__ = [
    "accounts",
    "audit",
    "bookings",
    "catalogue",
    "clinicians",
    "consents",
    "consultations",
    "files",
    "grants",
    "hospitals",
    "idempotency",
    "identities",
    "inbox",
    "metadata",
    "nearby",
    "notices",
    "operations",
    "outbox",
    "partners",
    "patients",
    "payments",
    "presence",
    "privacy",
    "schedules",
    "settlements",
    "tickets",
    "visits",
]

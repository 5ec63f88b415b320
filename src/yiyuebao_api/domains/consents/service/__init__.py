"""What can be done with consents: publish what is told, answer it, take the answer back."""

from yiyuebao_api.domains.consents.service.answers import Asked as Asked
from yiyuebao_api.domains.consents.service.answers import Signature as Signature
from yiyuebao_api.domains.consents.service.answers import answer_notice as answer_notice
from yiyuebao_api.domains.consents.service.answers import list_standing as list_standing
from yiyuebao_api.domains.consents.service.answers import withdraw_consent as withdraw_consent
from yiyuebao_api.domains.consents.service.notices import ensure_notices as ensure_notices
from yiyuebao_api.domains.consents.service.notices import publish_notice as publish_notice

"""What can be done with patients and addresses."""

from yiyuebao_api.domains.patients.service.addresses import create_address as create_address
from yiyuebao_api.domains.patients.service.addresses import delete_address as delete_address
from yiyuebao_api.domains.patients.service.addresses import update_address as update_address
from yiyuebao_api.domains.patients.service.patients import create_patient as create_patient
from yiyuebao_api.domains.patients.service.patients import delete_patient as delete_patient
from yiyuebao_api.domains.patients.service.patients import mark_real_name as mark_real_name
from yiyuebao_api.domains.patients.service.patients import mark_verified as mark_verified
from yiyuebao_api.domains.patients.service.patients import update_patient as update_patient

"""What can be done with accounts: keep people and staff, send and try codes, begin, prolong and end sessions."""

from yiyuebao_api.domains.accounts.service.accounts import create_staff as create_staff
from yiyuebao_api.domains.accounts.service.accounts import ensure_account as ensure_account
from yiyuebao_api.domains.accounts.service.accounts import get_me as get_me
from yiyuebao_api.domains.accounts.service.accounts import grant_role as grant_role
from yiyuebao_api.domains.accounts.service.accounts import revoke_role as revoke_role
from yiyuebao_api.domains.accounts.service.codes import send_sms_code as send_sms_code
from yiyuebao_api.domains.accounts.service.codes import try_code as try_code
from yiyuebao_api.domains.accounts.service.sessions import Opened as Opened
from yiyuebao_api.domains.accounts.service.sessions import change_mode as change_mode
from yiyuebao_api.domains.accounts.service.sessions import check_session as check_session
from yiyuebao_api.domains.accounts.service.sessions import delete_session as delete_session
from yiyuebao_api.domains.accounts.service.sessions import delete_sessions as delete_sessions
from yiyuebao_api.domains.accounts.service.sessions import judge_session as judge_session
from yiyuebao_api.domains.accounts.service.sessions import open_session as open_session
from yiyuebao_api.domains.accounts.service.sessions import purge as purge
from yiyuebao_api.domains.accounts.service.sessions import refresh_tokens as refresh_tokens
from yiyuebao_api.domains.accounts.service.sessions import touch_session as touch_session
from yiyuebao_api.domains.accounts.service.sign_in import create_password_session as create_password_session
from yiyuebao_api.domains.accounts.service.sign_in import create_session as create_session
from yiyuebao_api.domains.accounts.service.sign_in import create_wechat_session as create_wechat_session

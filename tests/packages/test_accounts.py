"""What becomes of accounts in allauth, two-factor-auth, django-otp and axes."""

import base64
import json
import re

import pytest
from allauth.socialaccount.models import SocialAccount, SocialLogin
from axes.signals import user_locked_out
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from sesame.utils import get_query_string

from tests.packages import urls
from trackmate import suppress
from trackmate.redaction.text import keyed_hash

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "application/json"
PASSWORD, NEW, WRONG = "correct horse battery", "battery staple 4711", "wrong horse 4711"
MALLORY = f"sha256:{keyed_hash('mallory@example.org', 'identifier')}"
ALLAUTH_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture(autouse=True)
def unrecorded_accounts():
    """Record accounts."""


class Visitor:
    """Somebody who uses the site, and what is recorded of the last request."""

    def __init__(self, activities, monkeypatch):
        self.client = Client()
        self.monkeypatch = monkeypatch
        self.activities = activities
        self.secrets = [PASSWORD, NEW, WRONG]
        self.everything = []
        with suppress():
            self.user = get_user_model().objects.create_user("alice", "alice@example.org", PASSWORD)
            self.user.emailaddress_set.create(email=self.user.email, verified=True, primary=True)

    def log_in(self):
        with suppress():
            self.client.force_login(self.user, backend=ALLAUTH_BACKEND)
            self.post("/accounts/reauthenticate/", {"password": PASSWORD})

    def request(self, method, *args, **kwargs):
        self.everything += self.activities
        self.activities.clear()
        return getattr(self.client, method)(*args, **kwargs)

    def post(self, *args, **kwargs):
        return self.request("post", *args, **kwargs)

    def get(self, *args, **kwargs):
        return self.request("get", *args, **kwargs)

    def at_home(self, do):
        self.monkeypatch.setattr(urls, "what_home_does", do)
        self.get("/")

    def code_in_mail(self):
        code = re.search(r"^([A-Z0-9-]{6,})$", mail.outbox[-1].body, re.MULTILINE)[1]
        self.secrets.append(code)
        return code

    def link_in_mail(self, pattern):
        found = re.search(rf"https?://[^/\s]+(/\S*?{pattern}\S*)", mail.outbox[-1].body)
        self.secrets.append(found[2])
        return found[1]

    def rows(self):
        return [
            (
                each.action,
                each.action_type,
                each.status,
                each.target.object_repr if each.target else "",
            )
            for each in self.activities
        ]


@pytest.fixture
def alice(activities, settings, monkeypatch):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    return Visitor(activities, monkeypatch)


# --- allauth ---------------------------------------------------------------------------------


def sign_up(alice):
    names = {"username": "bob", "email": "bob@example.org"}
    alice.post("/accounts/signup/", {**names, "password1": PASSWORD, "password2": PASSWORD})


def change_password(alice):
    alice.log_in()
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    alice.post("/accounts/password/change/", form)


def change_password_of_an_app(alice):
    session = log_in_by_app(alice)
    form = {"current_password": PASSWORD, "new_password": NEW}
    alice.post("/_allauth/app/v1/account/password/change", form, JSON, headers=session)


def log_in_by_app(alice):
    form = {"username": "alice", "password": PASSWORD}
    answer = alice.post("/_allauth/app/v1/auth/login", form, JSON).json()
    alice.secrets.append(answer["meta"]["session_token"])
    return {"X-Session-Token": answer["meta"]["session_token"]}


def set_first_password(alice):
    with suppress():
        alice.user.set_unusable_password()
        alice.user.save()
        alice.client.force_login(alice.user, backend=ALLAUTH_BACKEND)
    alice.post("/accounts/password/set/", {"password1": NEW, "password2": NEW})


def ask_for_reset(alice):
    alice.post("/accounts/password/reset/", {"email": "alice@example.org"})


def ask_for_reset_by_app(alice):
    alice.post("/_allauth/app/v1/auth/password/request", {"email": "alice@example.org"}, JSON)


def ask_for_reset_of_nobody(alice):
    alice.post("/accounts/password/reset/", {"email": "mallory@example.org"})
    assert "mallory" not in repr(alice.activities)


def ask_for_code(alice):
    alice.post("/accounts/login/code/", {"email": "alice@example.org"})


def ask_for_code_of_nobody(alice):
    alice.post("/accounts/login/code/", {"email": "mallory@example.org"})
    assert "mallory" not in repr(alice.activities)


def ask_for_code_of_nobody_by_app(alice):
    path = "/_allauth/browser/v1/auth/code/request"
    alice.post(path, {"email": "mallory@example.org"}, JSON)
    assert "mallory" not in repr(alice.activities)


def ask_for_reset_of_rest(alice):
    alice.post("/rest/password/reset/", {"email": "alice@example.org"}, JSON)


def reset_password(alice):
    ask_for_reset(alice)
    page = alice.get(alice.link_in_mail(r"key/[0-9a-z]+-([\w-]+)"), follow=True)
    alice.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})


def add_email(alice):
    alice.log_in()
    alice.post("/accounts/email/", {"action_add": "", "email": "second@example.org"})


def confirm_email(alice):
    add_email(alice)
    alice.post(alice.link_in_mail(r"confirm-email/([\w:-]+)"))


def change_email(alice):
    alice.log_in()
    alice.user.emailaddress_set.create(email="second@example.org", verified=True)
    alice.post("/accounts/email/", {"action_primary": "", "email": "second@example.org"})


def remove_email(alice):
    alice.log_in()
    alice.user.emailaddress_set.create(email="second@example.org", verified=True)
    alice.post("/accounts/email/", {"action_remove": "", "email": "second@example.org"})


def add_second_factor(alice):
    alice.log_in()
    page = alice.get("/accounts/2fa/totp/activate/").content.decode()
    alice.key = re.search(r'value="([A-Z2-7]{32})"', page)[1]
    alice.secrets.append(alice.key)
    assert alice.post("/accounts/2fa/totp/activate/", {"code": code_of(alice)}).status_code == 302


def code_of(alice):
    code = f"{totp(base64.b32decode(alice.key)):06}"
    alice.secrets.append(code)
    return code


def remove_second_factor(alice):
    add_second_factor(alice)
    alice.post("/accounts/2fa/totp/deactivate/")


def make_recovery_codes(alice):
    add_second_factor(alice)
    alice.post("/accounts/2fa/recovery-codes/generate/")
    page = alice.client.get("/accounts/2fa/recovery-codes/").content.decode()
    alice.secrets += re.findall(r"\b[0-9]{8}\b", page)
    alice.activities[1:] = []


def log_in_with_second_factor(alice):
    begin_login_with_second_factor(alice)
    cache.clear()  # the code was used to add the factor
    alice.post("/accounts/2fa/authenticate/", {"code": code_of(alice)})


def begin_login_with_second_factor(alice):
    add_second_factor(alice)
    with suppress():
        alice.client.logout()
    alice.post("/accounts/login/", {"login": "alice", "password": PASSWORD})


def log_in_with_wrong_second_factor(alice):
    begin_login_with_second_factor(alice)
    alice.secrets.append("000111")
    alice.post("/accounts/2fa/authenticate/", {"code": "000111"})


def log_in_with_wrong_password(alice):
    alice.post("/accounts/login/", {"login": "alice", "password": WRONG})


def log_in_by_email_with_wrong_password(alice):
    alice.post("/accounts/login/", {"login": "alice@example.org", "password": WRONG})


def log_in_as_nobody(alice):
    alice.post("/accounts/login/", {"login": "mallory@example.org", "password": WRONG})
    assert "mallory" not in repr(alice.activities)


def log_in_with_wrong_code(alice):
    alice.post("/accounts/login/code/", {"email": "alice@example.org"})
    alice.code_in_mail()
    alice.secrets.append("WRONG1")
    alice.post("/accounts/login/code/confirm/", {"code": "WRONG1"})


def connect_social(alice):
    alice.log_in()

    def connect(request):
        login = SocialLogin(account=SocialAccount(provider="dummy", uid="4711"))
        login.connect(request, request.user)

    alice.at_home(connect)


def disconnect_social(alice):
    alice.log_in()
    account = alice.user.socialaccount_set.create(provider="dummy", uid="4711")
    alice.post("/accounts/3rdparty/", {"account": account.pk})


# --- django-otp and two-factor-auth ----------------------------------------------------------


STEP = "login_view-current_step"


def give_device(alice):
    with suppress():
        alice.device = TOTPDevice.objects.create(user=alice.user, name="default")
        alice.backup = StaticDevice.objects.create(user=alice.user, name="backup")
        alice.backup.token_set.create(token="backup47")
    alice.secrets += [alice.device.key, "backup47"]


def begin_two_factor_login(alice):
    give_device(alice)
    form = {STEP: "auth", "auth-username": "alice", "auth-password": PASSWORD}
    alice.post("/account/login/", form)


def log_in_by_two_factor(alice):
    begin_two_factor_login(alice)
    code = f"{totp(alice.device.bin_key):06}"
    alice.secrets.append(code)
    alice.post("/account/login/", {STEP: "token", "token-otp_token": code})


def log_in_by_two_factor_with_backup_code(alice):
    begin_two_factor_login(alice)
    alice.post("/account/login/", {STEP: "backup", "backup-otp_token": "backup47"})


def log_in_by_two_factor_with_wrong_code(alice):
    begin_two_factor_login(alice)
    alice.secrets.append("000111")
    alice.post("/account/login/", {STEP: "token", "token-otp_token": "000111"})


def log_in_by_two_factor_with_wrong_password(alice):
    form = {STEP: "auth", "auth-username": "alice", "auth-password": WRONG}
    alice.post("/account/login/", form)


def set_up_two_factor(alice):
    alice.log_in()
    step = "setup_view-current_step"
    alice.post("/account/two_factor/setup/", {step: "welcome"})
    page = alice.post("/account/two_factor/setup/", {step: "method", "method-method": "generator"})
    alice.key = page.context["secret_key"]
    alice.secrets.append(alice.key)
    alice.post("/account/two_factor/setup/", {step: "generator", "generator-token": code_of(alice)})


def make_backup_codes(alice):
    log_in_by_two_factor(alice)
    alice.post("/account/two_factor/backup/tokens/")
    alice.secrets += [each.token for each in alice.backup.token_set.all()]


def turn_two_factor_off(alice):
    log_in_by_two_factor(alice)
    alice.post("/account/two_factor/disable/", {"understand": "1"})


def confirm_device(alice):
    with suppress():
        device = TOTPDevice.objects.create(user=alice.user, name="new", confirmed=False)
    alice.secrets.append(device.key)

    def confirm(request):
        assert request.user.is_authenticated
        device = TOTPDevice.objects.get(name="new")
        device.confirmed = True
        device.save()
        device.save()

    alice.log_in()
    alice.at_home(confirm)


# --- axes and sesame -------------------------------------------------------------------------


def be_locked_out(alice):
    for _ in range(3):
        log_in_with_wrong_password(alice)


def come_back_while_locked_out(alice):
    for _ in range(4):
        log_in_with_wrong_password(alice)


def use_a_wrong_link(alice):
    query = get_query_string(alice.user)[:-3]
    alice.secrets.append(query.partition("=")[2])
    alice.get(f"/sesame/{query}xyz")


UPDATE, FAILED_LOGIN = ("Update", "Success"), ("Login Failed", "Failed")
DONE, FAILED = ("Action", "Success"), ("Action", "Failed")


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (sign_up, [("auth.signup", "Create", "Success", "bob")]),
        (change_password, [("auth.password.change", *UPDATE, "alice")]),
        (change_password_of_an_app, [("auth.password.change", *UPDATE, "alice")]),
        (set_first_password, [("auth.password.set", *UPDATE, "alice")]),
        (ask_for_reset, [("auth.password.reset_request", *DONE, "alice")]),
        (ask_for_reset_by_app, [("auth.password.reset_request", *DONE, "alice")]),
        (ask_for_reset_of_rest, [("auth.password.reset_request", *DONE, "alice")]),
        (ask_for_reset_of_nobody, [("auth.password.reset_request", *FAILED, MALLORY)]),
        (ask_for_code, [("auth.login.code_request", *DONE, "alice")]),
        (ask_for_code_of_nobody, [("auth.login.code_request", *FAILED, MALLORY)]),
        (ask_for_code_of_nobody_by_app, [("auth.login.code_request", *FAILED, MALLORY)]),
        (reset_password, [("auth.password.reset", *UPDATE, "alice")]),
        (add_email, [("auth.email.add", *UPDATE, "alice")]),
        (confirm_email, [("auth.email.confirm", *UPDATE, "alice")]),
        (change_email, [("auth.email.change", *UPDATE, "alice")]),
        (remove_email, [("auth.email.remove", *UPDATE, "alice")]),
        (
            add_second_factor,
            [("auth.mfa.add", *UPDATE, "alice"), ("auth.mfa.recovery_codes", *UPDATE, "alice")],
        ),
        (remove_second_factor, [("auth.mfa.remove", *UPDATE, "alice")] * 2),
        (make_recovery_codes, [("auth.mfa.recovery_codes", *UPDATE, "alice")]),
        (
            log_in_with_second_factor,
            [("auth.login", "Login", "Success", ""), ("auth.mfa.use", *DONE, "alice")],
        ),
        (log_in_with_wrong_second_factor, [("auth.mfa.failed", *FAILED, "alice")]),
        (log_in_with_wrong_password, [("auth.login", *FAILED_LOGIN, "alice")]),
        (log_in_by_email_with_wrong_password, [("auth.login", *FAILED_LOGIN, "alice")]),
        (log_in_as_nobody, [("auth.login", *FAILED_LOGIN, MALLORY)]),
        (log_in_with_wrong_code, [("auth.login", *FAILED_LOGIN, "alice")]),
        (connect_social, [("auth.social.connect", *UPDATE, "alice")]),
        (disconnect_social, [("auth.social.disconnect", *UPDATE, "alice")]),
        (
            log_in_by_two_factor,
            [("auth.login", "Login", "Success", ""), ("auth.mfa.use", *DONE, "alice")],
        ),
        (
            log_in_by_two_factor_with_backup_code,
            [("auth.login", "Login", "Success", ""), ("auth.mfa.use", *DONE, "alice")],
        ),
        (log_in_by_two_factor_with_wrong_code, [("auth.mfa.failed", *FAILED, "alice")]),
        (log_in_by_two_factor_with_wrong_password, [("auth.login", *FAILED_LOGIN, "alice")]),
        (set_up_two_factor, [("auth.mfa.add", *UPDATE, "alice")]),
        (make_backup_codes, [("auth.mfa.recovery_codes", *UPDATE, "alice")]),
        (turn_two_factor_off, [("auth.mfa.remove", *UPDATE, "alice")] * 2),
        (confirm_device, [("auth.mfa.add", *UPDATE, "alice")]),
        (be_locked_out, [("auth.lockout", *FAILED_LOGIN, "alice")]),
        (come_back_while_locked_out, [("auth.lockout", *FAILED_LOGIN, "alice")]),
        (use_a_wrong_link, [("auth.login", *FAILED_LOGIN, "")]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_happens_to_an_account_is_a_row(alice, do, expected):
    do(alice)
    assert alice.rows() == expected
    assert {each.source for each in alice.activities} == {"auth"}
    for each in alice.activities:
        if each.status == "Failed":
            assert (each.actor_id, each.actor_label) == (None, "")
    text = texts_of(alice.everything + alice.activities)
    assert [secret for secret in alice.secrets if secret in text] == []


RANDOM = ("id", "action_time", "execution_time", "request_id", "session_hash")


def texts_of(activities):
    """Return all that may quote a code; random digits may happen to be one."""
    rows = [each.to_dict() for each in activities]
    return json.dumps(
        [{name: row[name] for name in row if name not in RANDOM} for row in rows], default=str
    )


@pytest.mark.parametrize("is_axes_first", [True, False])
def test_a_lockout_is_one_row_whoever_hears_of_it_first(alice, settings, is_axes_first):
    settings.AXES_ENABLED = False

    def fail(request):
        def lock():
            user_locked_out.send("axes", request=request, username="alice", ip_address="1.2.3.4")

        if is_axes_first:
            lock()
        user_login_failed.send("test", credentials={"username": "alice"}, request=request)
        if not is_axes_first:
            lock()
        user_login_failed.send("test", credentials={"username": "bob"}, request=request)

    alice.at_home(fail)
    assert {each.action for each in alice.activities} == {"auth.lockout", "auth.login"}
    assert len(alice.activities) == 2


@pytest.mark.parametrize(
    ("do", "extra"),
    [
        (add_second_factor, {"method": "totp"}),
        (set_up_two_factor, {"method": "otp_totp.totpdevice"}),
        (connect_social, {"provider": "dummy"}),
    ],
)
def test_a_row_tells_by_what_it_was_done(alice, do, extra):
    do(alice)
    assert alice.activities[0].extra.items() >= extra.items()


@pytest.mark.parametrize(
    ("do", "changes"),
    [
        (add_email, [None, "second@example.org"]),
        (change_email, ["alice@example.org", "second@example.org"]),
        (remove_email, ["second@example.org", None]),
    ],
)
def test_a_row_tells_which_address_it_was(alice, do, changes):
    do(alice)
    assert alice.activities[0].changes == {"email": changes}


def test_a_request_that_fails_has_made_no_account(alice, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError

    alice.client.raise_request_exception = False
    monkeypatch.setattr("allauth.account.adapter.DefaultAccountAdapter.send_mail", fail)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    sign_up(alice)
    assert not get_user_model().objects.filter(username="bob").exists()
    (row,) = alice.activities
    assert (row.status, row.source) == ("Failed", "request")

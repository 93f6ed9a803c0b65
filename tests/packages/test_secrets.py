"""What well-known packages call their secrets is in no row, whatever they are called."""

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django_otp.oath import totp
from oauth2_provider.models import Application
from sesame.utils import get_query_string

from trackmate.models import ActivityLog

JSON = "application/json"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def everything(configure, db):
    """Keep all that can be kept."""
    configure(CAPTURE_RESPONSE=True, CAPTURE_HEADERS=["Referer", "X-Session-Token", "Origin"])


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def verified(alice):
    alice.emailaddress_set.create(email=alice.email, verified=True, primary=True)
    return alice


def assert_unseen(*secrets, paths=()):
    """Check that no row contains one of these, and that requests were recorded at all."""
    rows = list(ActivityLog.objects.values())
    assert rows
    text = json.dumps(rows, default=str)
    assert [secret for secret in secrets if str(secret) in text] == []
    assert PASSWORD not in text
    for path in paths:
        assert path in {row["path"] for row in rows}


def link_in_mail(pattern):
    """Return path and secret of a link in the newest message."""
    body = mail.outbox[-1].body
    found = re.search(rf"https?://[^/\s]+(/\S*?{pattern}\S*)", body)
    return urlsplit(found[1]).path, found[2]


def test_the_key_of_a_password_reset_by_allauth(client, verified):
    client.post("/accounts/password/reset/", {"email": verified.email})
    path, key = link_in_mail(r"key/[0-9a-z]+-([\w-]+)")
    page = client.get(path, follow=True)
    assert page.status_code == 200
    client.get("/", headers={"referer": f"https://testserver{path}"})
    client.get(f"/?next={path}")
    assert_unseen(key, paths=["/accounts/password/reset/key/1-[redacted]/"])


def test_the_key_of_a_confirmed_address_by_allauth(client, alice):
    signup = {"username": "bob", "email": "bob@example.org"}
    client.post("/accounts/signup/", {**signup, "password1": PASSWORD, "password2": PASSWORD})
    path, key = link_in_mail(r"confirm-email/([\w:-]+)")
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 302
    assert_unseen(key, key.rpartition(":")[2], paths=["/accounts/confirm-email/[redacted]/"])


def test_the_code_of_a_login_by_code_of_allauth(client, verified):
    client.post("/accounts/login/code/", {"email": verified.email})
    code = re.search(r"^([A-Z0-9-]{6,})$", mail.outbox[-1].body, re.MULTILINE)[1]
    client.post("/accounts/login/code/confirm/", {"code": "WRONG1"})
    assert client.post("/accounts/login/code/confirm/", {"code": code}).status_code == 302
    assert_unseen(code, "WRONG1")


def test_the_secret_of_a_second_factor_of_allauth(client, verified):
    client.force_login(verified, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'value="([A-Z2-7]{32})"', page)[1]
    code = f"{totp(base64.b32decode(secret)):06}"
    assert client.post("/accounts/2fa/totp/activate/", {"code": code}).status_code == 302
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    recovery = re.findall(r"\b[0-9]{8}\b", page)
    client.logout()
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": recovery[0]})
    assert_unseen(secret, *recovery)


def test_the_tokens_and_codes_of_headless_allauth(client, verified):
    def post(address, data, **headers):
        return client.post(f"/_allauth/app/v1/{address}", data, content_type=JSON, headers=headers)

    answer = post("auth/login", {"username": "alice", "password": PASSWORD}).json()
    token = answer["meta"]["session_token"]
    session = {"X-Session-Token": token}
    answer = client.get("/_allauth/app/v1/account/authenticators/totp", headers=session).json()
    secret = answer["meta"]["secret"]
    code = f"{totp(base64.b32decode(secret)):06}"
    post("auth/reauthenticate", {"password": PASSWORD}, **session)
    post("account/authenticators/totp", {"code": code}, **session)
    answer = client.get("/_allauth/app/v1/account/authenticators/recovery-codes", headers=session)
    assert_unseen(token, secret, code, *answer.json()["data"]["unused_codes"])


def test_the_key_of_a_login_by_dj_rest_auth(client, alice):
    credentials = {"username": "alice", "password": PASSWORD}
    key = client.post("/rest/login/", credentials, content_type=JSON).json()["key"]
    passwords = {"new_password1": "other horse 7", "new_password2": "other horse 7"}
    client.post("/rest/password/change/", passwords, content_type=JSON)
    client.post("/rest/password/reset/", {"email": alice.email}, content_type=JSON)
    assert_unseen(key, "other horse 7")


def test_the_tokens_of_simplejwt(client, alice):
    credentials = {"username": "alice", "password": PASSWORD}
    tokens = client.post("/jwt/", credentials, content_type=JSON).json()
    client.post("/jwt/refresh/", {"refresh": tokens["refresh"]}, content_type=JSON)
    client.post("/jwt/", {**credentials, "password": "wrong horse 7"}, content_type=JSON)
    assert_unseen(tokens["access"], tokens["refresh"], "wrong horse 7")
    assert {row.data["username"] for row in ActivityLog.objects.filter(path="/jwt/")} == {"alice"}


def test_the_token_of_knox(client, alice):
    basic = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    answer = client.post("/knox/login/", headers={"Authorization": f"Basic {basic}"}).json()
    assert_unseen(answer["token"], basic)


def test_the_codes_and_tokens_of_oauth_toolkit(client, alice):
    verifier = "v" * 20 + "1234567890" * 3
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    secret = "a-secret-of-a-client-4711"
    application = Application.objects.create(
        name="app",
        user=alice,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://app.example/callback",
        client_secret=secret,
        skip_authorization=True,
    )
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    asked = {
        "response_type": "code",
        "client_id": application.client_id,
        "redirect_uri": "https://app.example/callback",
        "state": "a-state-of-4711",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = client.get("/o/authorize/", asked)
    code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    client.get("/", {"code": code, "state": "a-state-of-4711"})
    client.get("/", headers={"referer": answer["Location"]})
    exchange = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "https://app.example/callback",
        "client_id": application.client_id,
        "client_secret": secret,
        "code_verifier": verifier,
    }
    tokens = client.post("/o/token/", exchange).json()
    client.post("/o/revoke_token/", {"token": tokens["access_token"], "client_secret": secret})
    assert_unseen(code, secret, verifier, tokens["access_token"], tokens["refresh_token"])
    authorize = ActivityLog.objects.get(path="/o/authorize/")
    assert "code_challenge_method=S256" in authorize.extra["query"]


def test_the_tokens_of_two_factor(client, alice):
    device = alice.totpdevice_set.create(name="default")
    token = f"{totp(device.bin_key):06}"
    step = {"login_view-current_step": "auth"}
    form = {"auth-username": "alice", "auth-password": PASSWORD}
    client.post("/account/login/", {**step, **form})
    step["login_view-current_step"] = "token"
    client.post("/account/login/", {**step, "token-otp_token": "000111"})
    client.post("/account/login/", {**step, "token-otp_token": token})
    assert_unseen(token, "000111", device.key)


def test_the_link_of_sesame(client, alice):
    query = get_query_string(alice)
    client.get(f"/sesame/{query}")
    client.get("/", headers={"referer": f"https://testserver/sesame/{query}"})
    assert_unseen(query.partition("=")[2])


def test_the_link_of_djangos_own_password_reset(client, alice):
    client.post("/django/password_reset/", {"email": alice.email})
    path, token = link_in_mail(r"reset/\w+/([\w-]+)")
    assert client.get(path, follow=True).status_code == 200
    client.get("/private/", {"next": path})
    assert_unseen(token)


@pytest.mark.parametrize("name", ["alice", "alice@example.org"])
def test_the_name_of_an_account_is_kept_however_it_logs_in(client, verified, name):
    client.post("/accounts/login/", {"login": name, "password": "wrong horse 7"})
    client.post("/accounts/login/", {"login": "MyS3cretTyped", "password": "wrong horse 7"})
    assert_unseen("wrong horse 7", "MyS3cretTyped")
    assert name in {row.data["login"] for row in ActivityLog.objects.exclude(data=None)}


def test_a_name_that_was_locked_out(client, alice):
    for _ in range(4):
        client.post("/admin/login/", {"username": "MyS3cretTyped", "password": "wrong horse 7"})
    assert_unseen("wrong horse 7", "MyS3cretTyped")

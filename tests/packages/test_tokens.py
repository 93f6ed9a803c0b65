"""Logins without a session: who got a token, who was refused one, who renewed and revoked one."""

import asyncio
import base64
import hashlib
import json
from datetime import timedelta

import pyotp
import pytest
from dj_rest_auth.app_settings import api_settings as rest_auth_settings
from dj_rest_auth.mfa.totp import TOTP, generate_totp_secret
from dj_rest_auth.views import LogoutView as LogoutOfRestAuth
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken
from knox.settings import knox_settings
from ninja_jwt import tokens as ninja_tokens
from oauth2_provider.models import AccessToken, Application, DeviceGrant, Grant
from oauth2_provider.oauth2_validators import OAuth2Validator
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.serializers import api_settings as jwt_settings
from rest_framework_simplejwt.tokens import AccessToken as WebToken
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken

from trackmate.models import ActivityLog
from trackmate.redaction.text import keyed_hash

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.packages.token_urls")]

JSON = "application/json"
PASSWORD = "correct horse battery"
BACKEND = "django.contrib.auth.backends.ModelBackend"

LOGIN = ("auth.login", "Login", "Success")
REFUSED = ("auth.login", "Login Failed", "Failed")
REFRESH = ("auth.token.refresh", "Read", "Success")
NOT_REFRESHED = ("auth.token.refresh", "Read", "Failed")
VERIFY = ("auth.token.verify", "Read", "Success")
NOT_VERIFIED = ("auth.token.verify", "Read", "Failed")
LOGOUT = ("auth.logout", "Logout", "Success")
NOT_LOGGED_OUT = ("auth.logout", "Logout", "Failed")

UNKNOWN = f"sha256:{keyed_hash('nobody', 'identifier')}"


@pytest.fixture(autouse=True)
def everything(configure):
    configure(CAPTURE_RESPONSE=True)


@pytest.fixture
def client():
    """One that does not pass errors of the project on."""
    return Client(raise_request_exception=False)


@pytest.fixture
def alice():
    return get_user_model().objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def application(alice):
    """Return a function that makes an application: `application("password")`."""

    def make(grant, **values):
        return Application.objects.create(
            name="Weather",
            user=alice,
            client_type="confidential",
            authorization_grant_type=grant,
            redirect_uris="https://app.example/callback",
            client_secret="a-secret-of-a-client-4711",
            **values,
        )

    return make


def row():
    """Return the only row: what was done, how it went, by whom and to what."""
    (only,) = ActivityLog.objects.all()
    done = (only.action, only.action_type, only.status)
    assert only.source == "auth" or not only.action.startswith("auth.")
    return done, only.actor_label, only.object_repr


def forget():
    ActivityLog.objects.all().delete()


def assert_unseen(*secrets):
    text = json.dumps(list(ActivityLog.objects.values()), default=str)
    assert [each for each in (PASSWORD, *secrets) if each in text] == []


def post(client, path, data, **headers):
    return client.post(path, data, content_type=JSON, headers=headers)


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


# --- logins ----------------------------------------------------------------------------------

FORMS = ["/jwt/", "/jwt/sliding/", "/authtoken/", "/knox/form/", "/rest/login/"]
NINJA = ["/ninja/token/pair", "/ninja/extra/sliding"]


@pytest.mark.parametrize("path", [*FORMS, *NINJA])
def test_a_token_issued_is_a_login(client, alice, path):
    answer = post(client, path, {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200
    assert row() == (LOGIN, "alice", "")
    assert ActivityLog.objects.get().actor == alice
    secrets = [text for text in answer.json().values() if text != "alice" and len(text) > 25]
    assert secrets
    assert_unseen(*(secret for secret in secrets if not secret.startswith("20")))


@pytest.mark.parametrize("path", [*FORMS, *NINJA])
def test_a_wrong_password_is_a_failed_login(client, alice, path):
    post(client, path, {"username": "alice", "password": "wrong horse 7"})
    assert row() == (REFUSED, "", "alice")
    assert_unseen("wrong horse 7")


@pytest.mark.parametrize("path", [*FORMS, *NINJA])
def test_an_unknown_account_is_hashed(client, alice, path):
    post(client, path, {"username": "nobody", "password": "wrong horse 7"})
    assert row() == (REFUSED, "", UNKNOWN)
    assert_unseen("nobody")


@pytest.mark.parametrize("backend", ["ModelBackend", "AllowAllUsersModelBackend"])
@pytest.mark.parametrize("path", ["/jwt/", "/rest/login/", *NINJA])
def test_an_inactive_account_is_a_failed_login(client, alice, settings, path, backend):
    settings.AUTHENTICATION_BACKENDS = [f"django.contrib.auth.backends.{backend}"]
    get_user_model().objects.update(is_active=False)
    post(client, path, {"username": "alice", "password": PASSWORD})
    assert row() == (REFUSED, "", "alice")


def test_an_inactive_account_is_named_as_the_settings_say(client, alice, settings, configure):
    configure(FAILED_LOGIN_IDENTIFIER="hashed")
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    get_user_model().objects.update(is_active=False)
    post(client, "/jwt/", {"username": "alice", "password": PASSWORD})
    assert row() == (REFUSED, "", f"sha256:{keyed_hash('alice', 'identifier')}")
    assert_unseen("alice")


@pytest.mark.parametrize("path", [*FORMS, *NINJA])
@pytest.mark.parametrize(
    "data", [{}, {"username": "alice"}, {"username": {"$ne": 1}, "password": []}, [], None, "x"]
)
def test_a_malformed_login_is_refused(client, alice, path, data):
    answer = post(client, path, data)
    assert 400 <= answer.status_code < 500 or "username" not in str(data)
    (only,) = ActivityLog.objects.all()
    assert (only.status, only.actor_label) == ("Failed", "")


def test_what_is_refused_after_the_password_was_right_is_a_failed_login(client, alice):
    answer = post(client, "/jwt/picky/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 403
    assert row() == (REFUSED, "", "alice")


def test_a_login_that_breaks_is_neither_a_login_nor_a_failed_one(client, alice, monkeypatch):
    monkeypatch.setattr(RefreshToken, "for_user", lambda _user: 1 / 0)
    assert post(client, "/jwt/", {"username": "alice", "password": PASSWORD}).status_code == 500
    ((_action, action_type, status), _actor, _object) = row()
    assert (action_type, status) == ("Action", "Failed")


def test_a_login_names_its_user_whoever_else_has_a_session(client, alice):
    bob = get_user_model().objects.create_user("bob", password="another horse 8")
    client.force_login(bob, backend=BACKEND)
    forget()
    post(client, "/jwt/", {"username": "alice", "password": PASSWORD})
    assert row() == (LOGIN, "alice", "")


@pytest.mark.parametrize("path", ["/jwt/", "/rest/login/"])
def test_logins_are_recorded_where_requests_are_not(client, alice, configure, path):
    configure(TRACK_REQUESTS=False)
    post(client, path, {"username": "alice", "password": PASSWORD})
    assert row() == (LOGIN, "alice", "")
    assert ActivityLog.objects.get().data is None


def test_without_the_tracking_of_logins_they_are_requests(client, alice, configure):
    configure(TRACK_AUTH=False)
    post(client, "/jwt/", {"username": "alice", "password": PASSWORD})
    assert row()[0] == ("jwt/", "Action", "Success")


@pytest.mark.parametrize(
    ("password", "expected"),
    [(PASSWORD, (LOGIN, "alice", "")), ("wrong horse 7", (REFUSED, "", "alice"))],
)
def test_a_login_by_a_serializer_of_a_project(client, alice, password, expected):
    post(client, "/authtoken/mail/", {"email": alice.email, "password": password})
    assert row() == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "expected"), [("pair", (LOGIN, "alice", "")), ("refresh", (REFRESH, "alice", ""))]
)
def test_an_async_login_and_refresh(alice, path, expected):
    data = {"username": "alice", "password": PASSWORD}
    if path == "refresh":
        data = ninja_refresh_of(alice)
    answer = asyncio.run(AsyncClient().post(f"/async/token/{path}", data, content_type=JSON))
    assert answer.status_code == 200
    assert row() == expected


@pytest.mark.parametrize("path", ["/jwt/", "/rest/login/", "/ninja/token/pair"])
def test_a_login_costs_no_query(client, alice, configure, path):
    assert added_queries(client, configure, path, username="alice", password=PASSWORD) == 0


def added_queries(client, configure, path, **data):
    """Return how many queries of the request are trackmate's."""
    counts = []
    for enabled in (False, False, True):  # the first fills caches
        configure(ENABLED=enabled, BACKEND="trackmate.backends.dummy.DummyBackend")
        with CaptureQueriesContext(connection) as queries:
            assert post(client, path, data).status_code == 200
        counts.append(sum(each["sql"].startswith("SELECT") for each in queries))
    return counts[2] - counts[1]


# --- refreshed, verified and revoked ---------------------------------------------------------


def refresh_of(user):
    return {"refresh": str(RefreshToken.for_user(user))}


def ninja_refresh_of(user):
    return {"refresh": str(ninja_tokens.RefreshToken.for_user(user))}


def sliding_of(user):
    return {"token": str(SlidingToken.for_user(user))}


def ninja_sliding_of(user):
    return {"token": str(ninja_tokens.SlidingToken.for_user(user))}


ENDPOINTS = [
    ("/jwt/refresh/", refresh_of, REFRESH, 0),
    ("/jwt/sliding/refresh/", sliding_of, REFRESH, 1),
    ("/jwt/verify/", sliding_of, VERIFY, 1),
    ("/jwt/blacklist/", refresh_of, LOGOUT, 1),
    ("/ninja/token/refresh", ninja_refresh_of, REFRESH, 1),
    ("/ninja/extra/sliding/refresh", ninja_sliding_of, REFRESH, 1),
    ("/ninja/token/verify", ninja_sliding_of, VERIFY, 1),
    ("/ninja/extra/blacklist", ninja_refresh_of, LOGOUT, 1),
]


@pytest.mark.parametrize(("path", "token_of", "done", "_queries"), ENDPOINTS)
def test_whoever_sends_a_web_token_is_its_user(client, alice, path, token_of, done, _queries):
    data = token_of(alice)
    answer = post(client, path, data)
    assert answer.status_code == 200
    assert row() == (done, "alice", "")
    assert_unseen(*data.values(), *(text for text in answer.json().values() if text))


@pytest.mark.parametrize(
    ("path", "token_of", "_done", "queries"),
    [each for each in ENDPOINTS if "blacklist" not in each[0]],  # works but once
)
def test_the_name_of_a_user_costs_a_query_at_most(
    client, alice, configure, path, token_of, _done, queries
):
    assert added_queries(client, configure, path, **token_of(alice)) == queries


@pytest.mark.parametrize("sent", ["forged", "", "a.b.c", None, 7, "other type", "nothing"])
@pytest.mark.parametrize(("path", "token_of", "done", "_queries"), ENDPOINTS)
def test_a_bad_web_token_is_refused_and_names_nobody(
    client, alice, path, token_of, done, _queries, sent
):
    ((name, token),) = token_of(alice).items()
    if sent == "forged":
        head, claims, _signature = token.split(".")
        sent = f"{head}.{claims}.{'A' * 43}"
    elif sent == "other type" and "verify" not in path:
        sent = str(WebToken.for_user(alice))
    answer = post(client, path, {} if sent == "nothing" else {name: sent})
    assert 400 <= answer.status_code < 500
    assert row() == ((*done[:2], "Failed"), "", "")
    assert_unseen(token, token.split(".")[1])


def test_a_blacklisted_token_is_refused(client, alice):
    data = refresh_of(alice)
    post(client, "/jwt/blacklist/", data)
    forget()
    assert post(client, "/jwt/refresh/", data).status_code == 401
    assert row() == (NOT_REFRESHED, "", "")


def test_a_refresh_that_is_refused_to_an_inactive_account_names_it(client, alice):
    data = refresh_of(alice)
    get_user_model().objects.update(is_active=False)
    assert post(client, "/jwt/refresh/", data).status_code == 401
    assert row() == (NOT_REFRESHED, "", "alice")


@pytest.mark.parametrize("path", ["/jwt/sliding/refresh/", "/jwt/verify/"])
def test_the_user_of_a_token_may_be_gone(client, alice, path):
    data, key = sliding_of(alice), alice.pk
    alice.delete()
    assert post(client, path, data).status_code == 200
    assert ActivityLog.objects.get().actor_id == key


def test_a_token_may_name_its_user_by_another_field(client, alice, monkeypatch):
    monkeypatch.setattr(jwt_settings, "USER_ID_FIELD", "username")
    data = sliding_of(alice)
    post(client, "/jwt/sliding/refresh/", data)
    assert row() == (REFRESH, "alice", "")
    forget()
    alice.delete()
    post(client, "/jwt/sliding/refresh/", data)
    assert row() == (REFRESH, "", "")


def test_a_rotated_token_is_a_refresh_and_no_logout(client, alice, monkeypatch):
    monkeypatch.setattr(jwt_settings, "ROTATE_REFRESH_TOKENS", True)
    monkeypatch.setattr(jwt_settings, "BLACKLIST_AFTER_ROTATION", True)
    data = refresh_of(alice)
    answer = post(client, "/jwt/refresh/", data)
    assert row() == (REFRESH, "alice", "")
    assert_unseen(data["refresh"], answer.json()["refresh"])


# --- knox ------------------------------------------------------------------------------------


@pytest.fixture
def knox_token(alice):
    return AuthToken.objects.create(alice)[1]


def test_a_login_with_knox_and_a_password_in_the_header(client, alice):
    answer = post(client, "/knox/", {}, Authorization=basic("alice", PASSWORD))
    assert row() == (LOGIN, "alice", "")
    assert_unseen(answer.json()["token"])


def test_a_wrong_password_in_the_header(client, alice):
    post(client, "/knox/", {}, Authorization=basic("alice", "wrong horse 7"))
    assert row() == (REFUSED, "", "alice")
    assert_unseen("wrong horse 7")


def test_a_user_with_too_many_tokens_of_knox_is_refused(client, alice, knox_token, monkeypatch):
    monkeypatch.setattr(knox_settings, "TOKEN_LIMIT_PER_USER", 1)
    answer = post(client, "/knox/", {}, Authorization=basic("alice", PASSWORD))
    assert answer.status_code == 403
    assert row() == (REFUSED, "", "alice")


@pytest.mark.parametrize("path", ["/knox/logout/", "/knox/logoutall/"])
def test_a_logout_with_knox(client, alice, knox_token, path):
    answer = post(client, path, {}, Authorization=f"Token {knox_token}")
    assert answer.status_code == 204
    assert row() == (LOGOUT, "alice", "")
    assert_unseen(knox_token)


def test_a_bad_token_of_knox_logs_nobody_out(client, alice, knox_token):
    post(client, "/knox/logout/", {}, Authorization="Token " + "0" * 64)
    ((_action, action_type, status), actor, _object) = row()
    assert (action_type, status, actor) == ("Action", "Failed", "")


# --- dj-rest-auth ----------------------------------------------------------------------------


@pytest.fixture
def rest_auth(monkeypatch):
    """Change settings of dj-rest-auth: `rest_auth(USE_JWT=True)`."""

    def change(**values):
        for name, value in values.items():
            monkeypatch.setattr(rest_auth_settings, name, value)

    return change


MODES = [
    {"SESSION_LOGIN": True, "USE_JWT": False},
    {"SESSION_LOGIN": False, "USE_JWT": False},
    {"SESSION_LOGIN": True, "USE_JWT": True},
    {"SESSION_LOGIN": False, "USE_JWT": True, "JWT_AUTH_HTTPONLY": False},
]


@pytest.mark.parametrize("mode", MODES)
def test_a_login_with_dj_rest_auth_is_one_row(client, alice, rest_auth, mode):
    rest_auth(**mode)
    answer = post(client, "/rest/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200
    assert row() == (LOGIN, "alice", "")


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_login_with_dj_rest_auth_is_one_row(client, alice, rest_auth, mode):
    rest_auth(**mode)
    post(client, "/rest/login/", {"username": "alice", "password": "wrong horse 7"})
    assert row() == (REFUSED, "", "alice")


def test_a_logout_with_a_session_of_dj_rest_auth(client, alice):
    client.force_login(alice, backend=BACKEND)
    forget()
    assert post(client, "/rest/logout/", {}).status_code == 200
    assert row() == (LOGOUT, "alice", "")


def test_a_logout_with_a_token_of_dj_rest_auth(client, alice, rest_auth, monkeypatch):
    rest_auth(SESSION_LOGIN=False)
    monkeypatch.setattr(LogoutOfRestAuth, "authentication_classes", [TokenAuthentication])
    key = Token.objects.create(user=alice).key
    assert post(client, "/rest/logout/", {}, Authorization=f"Token {key}").status_code == 200
    assert row() == (LOGOUT, "alice", "")
    assert_unseen(key)


@pytest.mark.parametrize(
    ("token_of", "expected"),
    [(refresh_of, (LOGOUT, "alice", "")), (sliding_of, (NOT_LOGGED_OUT, "", ""))],
)
def test_a_logout_with_a_web_token_of_dj_rest_auth(client, alice, rest_auth, token_of, expected):
    rest_auth(SESSION_LOGIN=False, USE_JWT=True, JWT_AUTH_HTTPONLY=False)
    post(client, "/rest/logout/", token_of(alice))
    assert row() == expected


def test_nobody_logs_out(client, rest_auth):
    rest_auth(SESSION_LOGIN=True)
    assert post(client, "/rest/logout/", {}).status_code == 200
    assert row()[0] == ("rest/logout/", "Action", "Success")


@pytest.mark.parametrize("has_session", [True, False])
def test_a_login_with_a_second_factor_is_one_only_with_it(client, alice, rest_auth, has_session):
    rest_auth(SESSION_LOGIN=has_session)
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    first = post(client, "/mfa/login/", {"username": "alice", "password": PASSWORD})
    assert row()[0] == ("mfa/login/", "Action", "Success")
    forget()
    step = {"ephemeral_token": first.json()["ephemeral_token"]}
    post(client, "/mfa/verify/", {**step, "code": "000000"})
    assert row() == (REFUSED, "", "")
    forget()
    code = pyotp.TOTP(secret).now()
    assert post(client, "/mfa/verify/", {**step, "code": code}).status_code == 200
    assert row() == (LOGIN, "alice", "")
    assert_unseen(secret, *step.values())


# --- OAuth -----------------------------------------------------------------------------------

SECRET = "a-secret-of-a-client-4711"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def ask(browser, application, **data):
    """Ask for a token, as the application."""
    credentials = {"client_id": application.client_id, "client_secret": SECRET}
    return browser.post("/o/token/", {**credentials, **data})


def grant_of(application, user, verifier="v" * 50):
    digest = hashlib.sha256(verifier.encode()).digest()
    return Grant.objects.create(
        user=user,
        application=application,
        code="a-code-of-4711",
        expires=timezone.now() + timedelta(minutes=5),
        redirect_uri="https://app.example/callback",
        scope="read",
        code_challenge=base64.urlsafe_b64encode(digest).decode().rstrip("="),
        code_challenge_method="S256",
    )


def code_exchange(**values):
    return {
        "grant_type": "authorization_code",
        "code": "a-code-of-4711",
        "redirect_uri": "https://app.example/callback",
        "code_verifier": "v" * 50,
        **values,
    }


def password_grant(**values):
    return {"grant_type": "password", "username": "alice", "password": PASSWORD, **values}


def test_a_token_for_a_password(client, alice, application):
    answer = ask(client, application("password"), **password_grant())
    assert row() == (LOGIN, "alice", "")
    assert ActivityLog.objects.get().extra["application"] == "Weather"
    assert_unseen(SECRET, answer.json()["access_token"], answer.json()["refresh_token"])


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"password": "wrong horse 7"}, "alice"),
        ({"username": "nobody", "password": "wrong horse 7"}, UNKNOWN),
        ({"client_secret": "wrong secret 7"}, "Weather"),
        ({"client_secret": ""}, "Weather"),
        ({"client_id": "a-client-that-is-unknown"}, ""),
        ({"scope": "everything"}, "alice"),
        ({"grant_type": "client_credentials"}, "Weather"),
        ({"grant_type": "nonsense"}, ""),
        ({"client_secret": "wrong secret 7", "user": "alice", "client": "x"}, "Weather"),
    ],
)
def test_a_token_refused(client, alice, application, changes, refused):
    answer = ask(client, application("password"), **password_grant(**changes))
    assert answer.status_code in (400, 401)
    assert row() == (REFUSED, "", refused)
    assert_unseen(SECRET, "wrong horse 7", "wrong secret 7")


def test_a_name_beside_the_secret_of_a_client_may_be_a_password(client, application):
    typed = {"username": "battery staple", "client_secret": "wrong secret 7"}
    ask(client, application("password"), **password_grant(**typed))
    assert row() == (REFUSED, "", "Weather")
    assert_unseen("battery staple", "battery+staple")


def test_a_token_for_a_code(client, alice, application):
    made = application("authorization-code")
    grant_of(made, alice)
    answer = ask(client, made, **code_exchange())
    assert row() == (LOGIN, "alice", "")
    assert_unseen(SECRET, "a-code-of-4711", "v" * 50, answer.json()["access_token"])


@pytest.mark.parametrize(
    ("changes", "refused"),
    [({"code": "another-code"}, "Weather"), ({"code_verifier": "w" * 50}, "alice")],
)
def test_a_code_refused(client, alice, application, changes, refused):
    made = application("authorization-code")
    grant_of(made, alice)
    ask(client, made, **code_exchange(**changes))
    assert row() == (REFUSED, "", refused)


@pytest.mark.parametrize("extra", [{}, {"user": "alice", "user_id": "1"}])
def test_a_token_for_a_client_names_the_client(client, alice, application, extra):
    answer = ask(
        client, application("client-credentials"), grant_type="client_credentials", **extra
    )
    assert answer.status_code == 200
    assert row() == (LOGIN, "oauth:Weather", "")
    assert ActivityLog.objects.get().actor_id is None
    assert_unseen(SECRET, answer.json()["access_token"])


def test_a_token_refreshed(client, alice, application):
    made = application("password")
    first = ask(client, made, **password_grant()).json()
    forget()
    second = ask(client, made, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert row() == (REFRESH, "alice", "")
    assert_unseen(first["refresh_token"], second.json()["refresh_token"])


@pytest.mark.parametrize("sent", [{"refresh_token": "a-bad-token"}, {"refresh_token": ""}, {}])
def test_a_refresh_refused(client, alice, application, sent):
    ask(client, application("password"), grant_type="refresh_token", **sent)
    assert row() == (NOT_REFRESHED, "", "Weather" if sent else "")


def device_of(application, status, user=None):
    return DeviceGrant.objects.create(
        client_id=application.client_id,
        device_code="a-device-code",
        user_code="ABCD",
        scope="read",
        expires=timezone.now() + timedelta(minutes=5),
        status=status,
        user=user,
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("authorized", (LOGIN, "alice", "")),
        ("authorization-pending", (("auth.token.poll", "Read", "Failed"), "", "")),
        ("denied", (REFUSED, "", "")),
        ("expired", (REFUSED, "", "")),
    ],
)
def test_a_token_for_a_device(client, alice, application, monkeypatch, status, expected):
    # oauthlib 4 asks for it, and oauth-toolkit 3.4 does not have it yet.
    monkeypatch.setattr(
        OAuth2Validator, "validate_device_code", lambda *_args: status, raising=False
    )
    made = application(DEVICE)
    device_of(made, status, alice)
    ask(client, made, grant_type=DEVICE, device_code="a-device-code")
    assert row() == expected
    assert_unseen("a-device-code")


def test_a_token_for_an_unknown_device(client, alice, application):
    ask(client, application(DEVICE), grant_type=DEVICE, device_code="another-code")
    assert row() == (REFUSED, "", "")


def access_token(application, user):
    return AccessToken.objects.create(
        user=user,
        application=application,
        token="an-access-token-4711",
        scope="read introspection",
        expires=timezone.now() + timedelta(minutes=5),
    )


def revoke(client, application, **data):
    credentials = {"client_id": application.client_id, "client_secret": SECRET}
    return client.post("/o/revoke_token/", {**credentials, **data})


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_revoked_is_a_logout_of_its_user(client, alice, application, kind):
    made = application("password")
    tokens = ask(client, made, **password_grant()).json()
    forget()
    assert revoke(client, made, token=tokens[kind]).status_code == 200
    assert row() == (LOGOUT, "alice", "")
    forget()
    revoke(client, made, token=tokens[kind])
    assert row()[0][1] == "Action"


def test_a_token_revoked_by_a_client_is_a_logout_of_the_client(client, application):
    made = application("client-credentials")
    access_token(made, None)
    revoke(client, made, token="an-access-token-4711")
    assert row() == (LOGOUT, "oauth:Weather", "")


def test_an_unknown_token_revoked_is_no_logout(client, application):
    assert revoke(client, application("password"), token="a-bad-token").status_code == 200
    assert row()[0] == ("o/revoke_token/", "Action", "Success")


def test_a_revocation_refused(client, application):
    made = application("password")
    access_token(made, made.user)
    revoke(client, made, token="an-access-token-4711", client_secret="wrong secret 7")
    assert row() == (NOT_LOGGED_OUT, "", "Weather")


@pytest.mark.parametrize("by", ["client", "token"])
def test_a_token_introspected_is_read_by_whoever_asks(client, alice, application, by):
    made = application("client-credentials")
    access_token(made, None)
    bearer = {"Authorization": "Bearer an-access-token-4711"}
    headers = bearer if by == "token" else {"Authorization": basic(made.client_id, SECRET)}
    answer = client.post("/o/introspect/", {"token": "a-bad-token"}, headers=headers)
    assert answer.json() == {"active": False}
    assert row() == (VERIFY, "oauth:Weather", "")


# --- requests with a token -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "header_of"),
    [
        ("/jwt/me/", lambda user: f"Bearer {WebToken.for_user(user)}"),
        ("/ninja/me", lambda user: f"Bearer {ninja_tokens.AccessToken.for_user(user)}"),
        ("/authtoken/me/", lambda user: f"Token {Token.objects.create(user=user).key}"),
        ("/knox/me/", lambda user: f"Token {AuthToken.objects.create(user)[1]}"),
        ("/oauth/me/", lambda user: f"Bearer {access_token(None, user).token}"),
        ("/oauth/protected/", lambda user: f"Bearer {access_token(None, user).token}"),
    ],
)
def test_a_request_with_a_token_names_its_user(client, alice, path, header_of):
    header = header_of(alice)
    assert client.get(path, headers={"Authorization": header}).status_code == 200
    assert row()[1] == "alice"
    assert ActivityLog.objects.get().actor == alice
    assert_unseen(header.split()[1])


def test_a_request_with_a_stateless_token_names_its_user_by_key(client, alice):
    header = f"Bearer {WebToken.for_user(alice)}"
    client.get("/jwt/stateless/me/", headers={"Authorization": header})
    assert ActivityLog.objects.get().actor_id == alice.pk


@pytest.mark.parametrize("path", ["/oauth/me/", "/oauth/protected/"])
def test_a_request_with_the_token_of_a_client_names_the_client(client, application, path):
    access_token(application("client-credentials"), None)
    headers = {"Authorization": "Bearer an-access-token-4711"}
    assert client.get(path, headers=headers).status_code == 200
    assert row()[1] == "oauth:Weather"
    assert ActivityLog.objects.get().actor_id is None


@pytest.mark.parametrize("path", ["/oauth/me/", "/oauth/protected/", "/jwt/me/", "/knox/me/"])
def test_a_request_with_a_bad_token_names_nobody(client, alice, path):
    prefix = "Token" if "knox" in path else "Bearer"
    client.get(path, headers={"Authorization": f"{prefix} a-bad-token"})
    assert row()[1] == ""

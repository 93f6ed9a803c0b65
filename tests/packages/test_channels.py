"""WebSockets of Django Channels: connects, disconnects, and what consumers record."""

import asyncio

import pytest
from channels.auth import AuthMiddlewareStack, login, logout
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import path, re_path

from trackmate import track

# Channels looks after the connections of the database with each message.
pytestmark = pytest.mark.django_db
stored = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def channel_layer(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture
def alice():
    return get_user_model()(pk=7, username="alice")


@pytest.fixture
def bob():
    return get_user_model()(pk=8, username="bob")


class Chat(AsyncWebsocketConsumer):
    groups = ("chat",)

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "fail":
            raise RuntimeError("no such room")
        if text_data == "close":
            return await self.close(code=4001)
        if text_data == "login":
            user = await database_sync_to_async(get_user_model().objects.first)()
            await login(self.scope, user, "django.contrib.auth.backends.ModelBackend")
        elif text_data == "logout":
            await logout(self.scope)
        else:
            track("chat.said", data={"text": text_data})
        return await self.send("done")

    async def chat_heard(self, message):
        track("chat.heard")
        await self.send("heard")


class SyncChat(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        track("chat.said", data={"text": text_data})
        self.send("done")


class Refusing(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close(code=4003)


class Failing(AsyncWebsocketConsumer):
    async def connect(self):
        raise RuntimeError("no such room")


class Silent(AsyncWebsocketConsumer):
    async def connect(self):
        pass


APPLICATION = URLRouter(
    [
        path("ws/chat/", Chat.as_asgi()),
        path("ws/sync/", SyncChat.as_asgi()),
        path("ws/refused/", Refusing.as_asgi()),
        path("ws/failing/", Failing.as_asgi()),
        path("ws/silent/", Silent.as_asgi()),
        path("ws/invite/<token>/", Chat.as_asgi()),
        re_path(r"ws/room/(?P<number>\d+)/", Chat.as_asgi()),
    ]
)


def talk(address, *texts, user=None, application=APPLICATION, headers=(), code=1000, client=None):
    """Connect, say something, wait for each answer, and leave."""

    async def run():
        socket = WebsocketCommunicator(application, address, headers=list(headers))
        socket.scope["client"] = client or ["203.0.113.7", 4711]
        if user is not None:
            socket.scope["user"] = user
        connected, _code = await socket.connect(timeout=5)
        for text in texts:
            await socket.send_to(text_data=text)
            await socket.receive_output(timeout=5)
        await socket.disconnect(code=code if connected else 1006, timeout=5)

    asyncio.run(run())


def test_a_connection_is_two_activities_of_its_user(activities, alice):
    talk("/ws/chat/?room=7", user=alice, headers=[(b"user-agent", b"curl/8")])
    connect, disconnect = activities
    assert (connect.action, connect.status, connect.status_code) == (
        "websocket.connect",
        "Success",
        101,
    )
    assert (connect.source, connect.method, connect.path) == ("request", "WEBSOCKET", "/ws/chat/")
    assert (connect.actor_id, connect.actor_label) == (alice.pk, "alice")
    assert (connect.ip_address, connect.user_agent) == ("203.0.113.7", "curl/8")
    assert connect.extra == {"query": "room=7"}
    assert (disconnect.action, disconnect.status) == ("websocket.disconnect", "Success")
    assert (disconnect.actor_label, disconnect.ip_address) == ("alice", "203.0.113.7")
    assert disconnect.extra == {"close_code": 1000}
    assert disconnect.execution_time >= connect.execution_time
    assert disconnect.id > connect.id
    assert disconnect.request_id == connect.request_id == connect.id.hex


def test_a_refused_connection_has_failed(activities, alice):
    talk("/ws/refused/", user=alice)
    (connect,) = activities
    assert (connect.action, connect.status) == ("websocket.connect", "Failed")
    assert (connect.status_code, connect.extra) == (403, {"close_code": 4003})
    assert connect.actor_label == "alice"


def test_a_foreign_origin_is_refused(activities, settings):
    settings.ALLOWED_HOSTS = ["shop.example"]
    application = AllowedHostsOriginValidator(APPLICATION)
    talk("/ws/chat/", application=application, headers=[(b"origin", b"https://evil.example")])
    (connect,) = activities
    assert (connect.status, connect.status_code, connect.path) == ("Failed", 403, "/ws/chat/")


def test_a_consumer_that_fails_to_connect(activities):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/failing/")
        await socket.send_input({"type": "websocket.connect"})
        with pytest.raises(RuntimeError):
            await socket.wait(5)

    asyncio.run(run())
    (connect,) = activities
    assert (connect.action, connect.status) == ("websocket.connect", "Failed")
    assert connect.extra["exception"]["type"] == "RuntimeError"


def test_a_client_that_leaves_before_it_was_answered(activities):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/silent/")
        await socket.send_input({"type": "websocket.connect"})
        await socket.send_input({"type": "websocket.disconnect", "code": 1006})
        await socket.wait(5)

    asyncio.run(run())
    (connect,) = activities
    assert (connect.status, connect.extra) == ("Failed", {"close_code": 1006})


def test_a_consumer_that_fails_later_has_failed(activities, alice):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/chat/")
        socket.scope["user"] = alice
        await socket.connect(timeout=5)
        await socket.send_to(text_data="fail")
        with pytest.raises(RuntimeError):
            await socket.wait(5)

    asyncio.run(run())
    connect, disconnect = activities
    assert (connect.status, disconnect.status) == ("Success", "Failed")
    assert disconnect.extra["exception"]["message"] == "no such room"


def test_the_code_of_whoever_closes_first_is_kept(activities):
    talk("/ws/chat/", "close")
    assert activities[-1].extra == {"close_code": 4001}


def test_a_server_that_goes_down_ends_its_connections(activities):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/chat/")
        await socket.connect(timeout=5)
        socket.future.cancel()
        await asyncio.wait([socket.future])

    asyncio.run(run())
    assert [(each.action, each.status) for each in activities] == [
        ("websocket.connect", "Success"),
        ("websocket.disconnect", "Success"),
    ]


@pytest.mark.parametrize("address", ["/ws/chat/", "/ws/sync/"])
def test_what_a_consumer_records_has_the_client_and_the_user(activities, alice, address):
    talk(address, "hello", user=alice)
    connect, said, _disconnect = activities
    assert (said.action, said.actor_label, said.ip_address) == (
        "chat.said",
        "alice",
        "203.0.113.7",
    )
    assert (said.path, said.request_id) == (address, connect.request_id)


def test_what_the_channel_layer_brings_is_not_the_act_of_who_listens(activities, alice):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/chat/")
        socket.scope["user"] = alice
        await socket.connect(timeout=5)
        await get_channel_layer().group_send("chat", {"type": "chat.heard"})
        await socket.receive_output(timeout=5)
        await socket.disconnect(timeout=5)

    asyncio.run(run())
    heard = activities[1]
    assert (heard.action, heard.actor_label, heard.ip_address) == ("chat.heard", "", None)


def test_two_connections_at_once_do_not_mix(activities, alice, bob):
    async def run():
        sockets = [WebsocketCommunicator(APPLICATION, "/ws/chat/") for _number in range(2)]
        for socket, user in zip(sockets, (alice, bob), strict=True):
            socket.scope["user"] = user
        await asyncio.gather(*(socket.connect(timeout=5) for socket in sockets))
        for number in range(3):
            for socket, name in zip(sockets, ("alice", "bob"), strict=True):
                await socket.send_to(text_data=f"{name} {number}")
        for socket in sockets:
            for _number in range(3):
                await socket.receive_output(timeout=5)
        await asyncio.gather(*(socket.disconnect(timeout=5) for socket in sockets))

    asyncio.run(run())
    said = [each for each in activities if each.action == "chat.said"]
    assert len(said) == 6
    assert all(each.data["text"].startswith(each.actor_label) for each in said)


@pytest.fixture
def stack():
    return AuthMiddlewareStack(APPLICATION)


@stored
def test_a_session_names_the_user(activities, alice, stack):
    alice.save()
    client = Client()
    client.force_login(alice)
    cookie = client.cookies["sessionid"].value
    activities.clear()
    talk("/ws/chat/", application=stack, headers=[(b"cookie", f"sessionid={cookie}".encode())])
    connect = activities[0]
    assert (connect.actor_label, bool(connect.session_hash)) == ("alice", True)
    assert cookie not in repr(activities)


@stored
def test_a_login_and_a_logout_by_the_connection(activities, alice, stack, settings):
    settings.AXES_ENABLED = False  # it wants a request
    alice.save()
    talk("/ws/chat/", "hello", "login", "hello", "logout", "hello", application=stack)
    assert [(each.action, each.actor_label) for each in activities] == [
        ("websocket.connect", ""),
        ("chat.said", ""),
        ("auth.login", "alice"),
        ("chat.said", "alice"),
        ("auth.logout", "alice"),
        ("chat.said", "alice"),
        ("websocket.disconnect", "alice"),
    ]


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_nobody_is_nobody(activities, user):
    talk("/ws/chat/", user=user)
    assert {(each.actor_id, each.actor_label) for each in activities} == {(None, "")}


@pytest.mark.parametrize(
    ("trusted", "address"), [(0, "203.0.113.7"), (1, "198.51.100.9"), (2, "192.0.2.1")]
)
def test_the_address_is_believed_as_for_requests(activities, configure, trusted, address):
    configure(TRUSTED_PROXY_COUNT=trusted)
    talk("/ws/chat/", headers=[(b"x-forwarded-for", b"192.0.2.1, 198.51.100.9")])
    assert activities[0].ip_address == address


@pytest.mark.parametrize("rule", ["/ws/", "/ws/chat/"])
def test_excluded_paths_are_not_recorded_but_what_happens_there_is(
    activities, configure, rule, alice
):
    configure(EXCLUDE_PATHS=[rule])
    talk("/ws/chat/", "hello", user=alice)
    (said,) = activities
    assert (said.action, said.actor_label) == ("chat.said", "alice")


def test_secrets_of_the_address_are_masked(activities):
    talk("/ws/invite/9f86d081884c7d659a2f/?token=hunter22hunter&room=7", "hunter22hunter")
    assert [each.path for each in activities] == ["/ws/invite/[redacted]/"] * 3
    assert activities[0].extra == {"query": "token=REDACTED&room=7"}
    assert "9f86d081884c7d659a2f" not in repr(activities)


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/ws/chat/?%ff=%00", ()),
        ("/ws/chat/", [(b"user-agent", b"\xff\x00" * 3_000)]),
        ("/ws/chat/", [(b"content-length", b"500"), (b"content-type", b"application/json")]),
        ("/ws/chat/", [(b"x-forwarded-for", b"garbage"), (b"cookie", b"\xff=;;sessionid=\xfe")]),
        ("/ws/room/00000000000000000000000000000007/", ()),
    ],
)
def test_hostile_handshakes_are_recorded(activities, configure, address, headers):
    configure(TRUSTED_PROXY_COUNT=1, CAPTURE_RESPONSE=True)
    talk(address, "hello", headers=headers)
    assert [each.action for each in activities] == [
        "websocket.connect",
        "chat.said",
        "websocket.disconnect",
    ]
    assert activities[0].data is None


def test_a_query_that_is_no_text_is_recorded(activities):
    async def run():
        socket = WebsocketCommunicator(APPLICATION, "/ws/chat/")
        socket.scope["query_string"] = b"\xff\xfe=1"
        await socket.connect(timeout=5)
        await socket.disconnect(timeout=5)

    asyncio.run(run())
    assert len(activities) == 2


def test_a_failing_log_hurts_no_connection(activities, monkeypatch, alice):
    def fail(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr("trackmate.integrations.channels.describe_request", fail)
    monkeypatch.setattr("trackmate.integrations.channels.record", fail)
    talk("/ws/chat/", "hello", user=alice)

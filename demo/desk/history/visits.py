"""Visits: one client's requests in a row, as the middleware would have recorded them."""

from datetime import timedelta

from django.urls import resolve, reverse
from trackmate.activity import Activity, Target
from trackmate.capture.clients import readable_route
from trackmate.clock import uuid7
from trackmate.enums import ActionType, Source, Status, action_type_for
from trackmate.redaction.text import keyed_hash

# Typical seconds of what takes longer than QUICK.
QUICK = 0.03
SECONDS = {
    "POST login": 0.18,
    "GET desk:overview": 0.06,
    "GET desk:orders": 0.09,
    "GET desk:customers": 0.22,
    "GET desk:reports": 1.3,
    "GET desk:report-export": 3.1,
    "GET desk-api:order-list": 0.12,
    "GET admin:index": 0.08,
}


class Visit:
    """A clock that each request moves on, and the activities so far."""

    def __init__(self, dice, moment, client, *, member=None, slowness=1.0):
        self.dice = dice
        self.now = moment
        self.client = client
        self.member = member
        self.slowness = slowness
        self.activities = []

    def get(self, name, *args, **facts):
        """Read a page."""
        self.request("GET", name, *args, **facts)

    def post(self, name, *args, data=None, **facts):
        """Send a form; it answers with a redirect unless `code` says otherwise."""
        form = {"csrfmiddlewaretoken": "a new one each time", **(data or {})}
        self.request("POST", name, *args, **{"code": 302, "data": form, **facts})

    def call(self, name, *args, **facts):
        """Send JSON to an API."""
        self.request("POST", name, *args, **facts)

    def request(self, method, name, *args, path=None, code=200, **facts):
        """Record a request to a named route, or to a `path` that leads nowhere."""
        there = path or reverse(name, args=args)
        route = "" if path else _route_of(name, there)
        seconds = self._seconds(f"{method} {name}")
        values = {
            "source": Source.REQUEST,
            "action": route,
            "action_type": action_type_for(method),
            "status": Status.FAILED if code >= 400 else Status.SUCCESS,
            "status_code": code,
            "execution_time": seconds,
            "method": method,
            "path": there,
            "route": route,
            **self._who(),
            **facts,
        }
        key = uuid7(self.now)
        self.activities.append(Activity(id=key, action_time=self.now, request_id=key.hex, **values))
        self.now += timedelta(seconds=seconds + self._thinking())

    def beside(self, action, *, source=Source.CUSTOM, **facts):
        """Record what happened inside the request that was recorded last."""
        request = next(each for each in reversed(self.activities) if each.status_code)
        during = timedelta(seconds=request.execution_time * self.dice.uniform(0.3, 0.9))
        values = {
            name: getattr(request, name)
            for name in ("actor_id", "actor_label", "ip_address", "user_agent", "session_hash",
                         "method", "path", "route", "request_id")
        }  # fmt: skip
        self.activities.append(
            Activity.at(
                request.action_time + during,
                **{**values, "source": source, "action": action, **facts},
            )
        )

    def log_in(self):
        """Come in by the front door."""
        member, self.member = self.member, None
        self.get("login")
        if self.dice.random() < 0.07:
            self.fail_login(member.login, member.pk)
        # Who logs in is known when the request ends.
        self.member = member
        self.post(
            "login",
            data={"username": member.login, "password": "as-everybody-knows"},
            source=Source.AUTH,
            action="auth.login",
            action_type=ActionType.LOGIN,
        )

    def log_out(self):
        """Leave by it."""
        said = {"action": "auth.logout", "action_type": ActionType.LOGOUT}
        self.post("logout", source=Source.AUTH, **said)

    def fail_login(self, login, key):
        """Try a name with a wrong password; only a name that exists, so has a key, is told."""
        name = login if key else f"sha256:{keyed_hash(login, 'identifier')}"
        self.post(
            "login",
            code=200,
            data={"username": login if key else "[redacted]", "password": "letmein"},
            source=Source.AUTH,
            action="auth.login",
            action_type=ActionType.LOGIN_FAILED,
            status=Status.FAILED,
            target=Target(model="auth.user", object_id=str(key or name), object_repr=name),
        )

    def _who(self):
        return {
            "actor_id": self.member and self.member.pk,
            "actor_label": self.member.login if self.member else "",
            "ip_address": self.client.address,
            "user_agent": self.client.agent,
            "session_hash": self.client.session,
        }

    def _seconds(self, what):
        seconds = SECONDS.get(what, QUICK) * self.slowness * self.dice.lognormvariate(0, 0.4)
        # Now and then something else has the disk.
        return round(seconds * (12 if self.dice.random() < 0.004 else 1), 6)

    def _thinking(self):
        return self.dice.expovariate(1 / 14) if self.member and self.client.session else 1.5


def about(instance, verb="read"):
    """Return the values that the framework of a view adds for the object it has looked up."""
    return {
        "action": f"{instance._meta.label_lower}.{verb}",
        "target": Target.from_instance(instance),
    }


def lists(label):
    """Return the values that the framework of a view adds for a list."""
    return {"action": f"{label}.list"}


def changed(instance, **changes):
    """Return the facts of an updated object: `field=(old, new)`."""
    return {
        "action_type": ActionType.UPDATE,
        **about(instance, "update"),
        "changes": {name: list(pair) for name, pair in changes.items()},
    }


def recorded(instance, verb, **changes):
    """Return the facts of a recorded change of an object: `field=(old, new)`."""
    return {
        **about(instance, verb),
        "source": Source.MODEL,
        "action_type": verb.capitalize(),
        "changes": {name: list(pair) for name, pair in changes.items()},
    }


def moved(order, before, after):
    """Return the facts of an order that goes from one state to another."""
    return recorded(order, "update", state=(chosen(before), chosen(after)))


def chosen(choice):
    """Return a choice as changes have it."""
    return {"value": choice.value, "label": str(choice.label)}


def linked(instance):
    """Return a related object as changes have it."""
    return {"value": instance.pk, "label": str(instance)}


def _route_of(name, path):
    if name not in _routes:
        _routes[name] = readable_route(resolve(path).route)
    return _routes[name]


_routes = {}

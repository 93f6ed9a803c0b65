"""The people and machines of the demo: who they are, where they sit, what they use."""

from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from rest_framework.authtoken.models import Token

PASSWORD = "order-desk-demo"  # noqa: S105 - public: it opens nothing but this demo
# The accounts to try first, and what they show.
LOGINS = {
    "admin": "superuser",
    "sam": "staff",
    "auditor": "staff who sees request data and exports",
    "alice": "no staff",
}

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"  # noqa: E501
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"  # noqa: E501
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"  # noqa: E501
EDGE = CHROME + " Edg/141.0.0.0"
BROWSERS = (CHROME, CHROME, SAFARI, IPHONE, IPHONE, FIREFOX, EDGE)


@dataclass(frozen=True, slots=True)
class Client:
    """Where requests come from. All addresses are from the ranges set aside for documentation."""

    address: str
    agent: str
    session: str = ""


@dataclass(slots=True)
class Member:
    """Somebody, or something, with an account."""

    login: str
    name: str
    role: str
    clients: tuple[Client, ...]
    weight: int = 1
    """How often, against others of the same role."""
    pk: int | None = field(default=None, compare=False)


MEMBERS = (
    Member("admin", "Ada Admin", "boss", (Client("203.0.113.5", FIREFOX),)),
    Member(
        "sam",
        "Sam Okafor",
        "lead",
        (Client("203.0.113.10", CHROME), Client("198.51.100.77", IPHONE)),
        weight=2,
    ),
    Member("auditor", "Petra Lang", "auditor", (Client("192.0.2.140", EDGE),), weight=2),
    Member(
        "alice",
        "Alice Moreau",
        "clerk",
        (Client("203.0.113.11", FIREFOX), Client("198.51.100.23", IPHONE)),
        weight=6,
    ),
    Member("bob", "Bob Lindqvist", "clerk", (Client("203.0.113.12", CHROME),), weight=5),
    Member(
        "carla",
        "Carla Rossi",
        "clerk",
        (Client("203.0.113.13", SAFARI), Client("2001:db8:4a::1c", SAFARI)),
        weight=4,
    ),
    Member("dmitri", "Dmitri Popov", "clerk", (Client("203.0.113.14", CHROME),), weight=4),
    Member("emeka", "Emeka Nwosu", "clerk", (Client("2001:db8:4a::2f", FIREFOX),), weight=3),
    Member("fatima", "Fatima Haddad", "clerk", (Client("203.0.113.15", EDGE),), weight=3),
    Member("hiro", "Hiro Tanaka", "clerk", (Client("198.51.100.201", SAFARI),), weight=2),
    Member("grace", "Grace Miller", "approver", (Client("203.0.113.20", EDGE),), weight=3),
    Member("ines", "Inês Duarte", "analyst", (Client("203.0.113.31", FIREFOX),), weight=3),
    Member("jonas", "Jonas Weber", "analyst", (Client("2001:db8:4a::3a", CHROME),), weight=2),
    Member(
        "shop-sync",
        "Web shop",
        "machine",
        (Client("192.0.2.20", "python-requests/2.32.5"),),
        weight=6,
    ),
    Member(
        "warehouse",
        "Warehouse scanners",
        "machine",
        (Client("192.0.2.21", "okhttp/4.12.0"), Client("192.0.2.22", "okhttp/4.12.0")),
        weight=4,
    ),
    Member(
        "partner-edi",
        "Partner EDI",
        "machine",
        (Client("2001:db8:ed1::5", "Go-http-client/2.0"),),
        weight=1,
    ),
)

BOTS = (
    Client(
        "198.51.100.140", "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example/about)"
    ),
    Client("198.51.100.141", "curl/8.14.1"),
    Client("192.0.2.66", "Mozilla/5.0 zgrab/0.x"),
    Client("2001:db8:bad::9", "python-urllib/3.13"),
)
BURGLARS = (
    Client("198.51.100.13", "python-requests/2.31.0"),
    Client("192.0.2.199", "Mozilla/5.0 (Windows NT 6.1; rv:60.0) Gecko/20100101 Firefox/60.0"),
    Client("2001:db8:bad::1", "Hydra"),
)
MONITOR = Client("192.0.2.250", "uptime-watch/3.2")

STAFF = ("boss", "lead", "auditor")
PERMISSIONS = {
    "auditor": (
        "trackmate.view_activitylog",
        "trackmate.view_payload",
        "trackmate.export_activitylog",
    ),
    "approver": ("desk.approve_invoice",),
    "lead": (
        "desk.approve_invoice", "desk.view_order", "desk.change_order", "desk.view_customer",
        "desk.change_customer", "desk.view_invoice", "desk.view_product", "desk.change_product",
        "trackmate.view_activitylog",
    ),
}  # fmt: skip


def passer_by(dice):
    """Return somebody from the street."""
    home = f"198.51.100.{dice.randint(2, 120)}"
    if dice.random() < 0.2:
        home = f"2001:db8:{dice.randint(1, 9_999):x}::1"
    return Client(home, dice.choice(BROWSERS))


def hire():
    """Make the accounts that are missing, and return the cast with their keys."""
    password = make_password(PASSWORD)
    for member in MEMBERS:
        user, created = User.objects.get_or_create(
            username=member.login, defaults=_account(member, password)
        )
        member.pk = user.pk
        if created:
            user.user_permissions.set(_permissions(member.role))
        if created and member.role == "machine":
            Token.objects.create(user=user)
    return MEMBERS


def _account(member, password):
    first, _space, last = member.name.partition(" ")
    return {
        "password": password,
        "first_name": first,
        "last_name": last,
        "email": f"{member.login}@desk.example",
        "is_staff": member.role in STAFF,
        "is_superuser": member.role == "boss",
    }


def _permissions(role):
    wanted = [name.split(".") for name in PERMISSIONS.get(role, ())]
    return [
        Permission.objects.get(content_type__app_label=app, codename=codename)
        for app, codename in wanted
    ]

"""The requests that are asked, as a WSGI server would hand them over."""

import json
from dataclasses import dataclass
from io import BytesIO

AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36"
)
ORDER = {
    "customer": {"name": "Ada Example", "email": "ada@example.org", "phone": "+48 600 000 000"},
    "address": {"street": "Long Street 12", "city": "Gdansk", "zip": "80-001", "country": "PL"},
    "lines": [
        {"sku": f"SKU-{number:05}", "quantity": number, "price": f"{number * 7}.90", "note": ""}
        for number in range(1, 5)
    ],
    "payment": {"method": "card", "token": "tok_4f9a1c77b2", "installments": 1},
    "remarks": "Please ring twice, the bell is broken.",
}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One kind of request."""

    title: str
    method: str = "GET"
    logged_in: bool = False
    body: bytes = b""

    def environ(self, cookie: str) -> dict:
        """Return a new WSGI environment; `cookie` is that of a session with a user."""
        environ = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/orders/42",
            "QUERY_STRING": "status=open&page=2",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.17",
            "HTTP_HOST": "shop.example",
            "HTTP_ACCEPT": "application/json",
            "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.8",
            "HTTP_USER_AGENT": AGENT,
            "HTTP_REFERER": "http://shop.example/orders?page=1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if self.body:
            environ |= {
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(self.body)),
            }
        if self.logged_in:
            environ["HTTP_COOKIE"] = cookie
        return environ


SITUATIONS = {
    "anonymous": Situation(title="GET, anonymous"),
    "user": Situation(title="GET, logged in", logged_in=True),
    "post": Situation(
        title="POST of 600 bytes of JSON, anonymous", method="POST", body=json.dumps(ORDER).encode()
    ),
}

"""Who sends the traffic. Each persona is an endless generator that sends a request per step."""

from desk.history import cast
from desk.history.books import PRODUCTS, UNSOLD
from desk.history.scenes import GUESSED, PROBES
from desk.traffic.browser import Browser

MEMBERS = {member.login: member for member in cast.MEMBERS}


def personas(root, dice):
    """Return the personas, each with how often it has its turn."""
    return {
        clerk(root, dice, "alice"): 6,
        clerk(root, dice, "bob"): 5,
        clerk(root, dice, "carla"): 4,
        lead(root, dice, "sam"): 3,
        analyst(root, dice, "ines"): 2,
        machine(root, dice, "shop-sync"): 5,
        shopper(root, dice): 3,
        monitor(root): 1,
        bot(root, dice): 1,
        burglar(root, dice): 1,
    }


def clerk(root, dice, login):
    """Browse, take orders, ship some, go home and come back."""
    browser = browser_of(root, login)
    while True:
        yield from log_in(browser, login)
        for _ in range(dice.randint(4, 12)):
            act = dice.choices((browse, search, take_order, ship), (6, 2, 2, 1))[0]
            yield from act(browser, dice)
        yield from log_out(browser)


def lead(root, dice, login):
    """Approve invoices and look into the admin."""
    browser = browser_of(root, login)
    while True:
        yield from log_in(browser, login)
        for _ in range(dice.randint(2, 5)):
            yield browser.get("/")
            yield from approve(browser)
        yield browser.get("/admin/desk/order/")
        yield from log_out(browser)


def analyst(root, dice, login):
    """Read reports; one of them is broken."""
    browser = browser_of(root, login)
    while True:
        yield from log_in(browser, login)
        for _ in range(dice.randint(2, 6)):
            yield browser.get("/reports/")
            sku = UNSOLD if dice.random() < 0.2 else dice.choice(PRODUCTS)[0]
            yield browser.get(f"/reports/forecast/{sku}/")
            if dice.random() < 0.4:
                yield browser.get("/reports/sales.csv")
        yield from log_out(browser)


def machine(root, dice, login):
    """Work with the API by token; now and then with one that is no longer good."""
    browser = browser_of(root, login)
    while True:
        yield browser.call("POST", "/api/token/", {"username": login, "password": cast.PASSWORD})
        token = browser.json().get("token", "")
        for _ in range(dice.randint(3, 9)):
            yield browser.call("GET", f"/api/v1/customers/?page={dice.randint(1, 2)}", token=token)
            customers = [row["id"] for row in browser.json().get("results", ())]
            if customers:
                order = {
                    "customer": dice.choice(customers),
                    "note": "Web shop",
                    "lines": lines(dice),
                }
                yield browser.call("POST", "/api/v1/orders/", order, token=token)
                key = browser.json().get("id")
                yield browser.call("GET", f"/api/v1/orders/{key}/", token=token)
            if dice.random() < 0.1:
                yield browser.call("GET", "/api/v1/orders/", token="expired")


def shopper(root, dice):
    """Look at the catalogue and ask for a price, as somebody else each time."""
    while True:
        browser = Browser(root, cast.passer_by(dice))
        yield browser.get("/catalogue/")
        if dice.random() < 0.5:
            quantity = 0 if dice.random() < 0.15 else dice.randint(1, 40)
            line = {**lines(dice)[0], "quantity": quantity}
            yield browser.call("POST", "/api/quotes/", {"lines": [line]})


def monitor(root):
    """Ask whether the site answers."""
    browser = Browser(root, cast.MONITOR)
    while True:
        yield browser.ask("OPTIONS", "/catalogue/")
        yield browser.ask("OPTIONS", "/api/v1/orders/")


def bot(root, dice):
    """Knock on doors that are not there."""
    while True:
        browser = Browser(root, dice.choice(cast.BOTS))
        for path in dice.sample(PROBES, 3):
            yield browser.get(path)


def burglar(root, dice):
    """Guess passwords, from one address."""
    browser = Browser(root, dice.choice(cast.BURGLARS))
    while True:
        yield browser.get("/accounts/login/")
        for login in dice.sample(GUESSED, 4):
            yield browser.submit("/accounts/login/", {"username": login, "password": "letmein"})
        browser.forget()


def log_in(browser, login):
    """Come in by the login page."""
    yield browser.get("/accounts/login/")
    yield browser.submit("/accounts/login/", {"username": login, "password": cast.PASSWORD})


def log_out(browser):
    """Leave; each page has the form for it."""
    yield browser.get("/")
    yield browser.submit("/accounts/logout/", {})
    browser.forget()


def browse(browser, dice):
    """Read a list and something in it."""
    place = dice.choice(("orders", "customers", "invoices"))
    yield browser.get(f"/{place}/")
    if found := browser.links(rf'href="(/{place}/[0-9a-f-]+/)"'):
        yield browser.get(dice.choice(found))


def search(browser, dice):
    """Look for a customer."""
    yield browser.get(f"/customers/?q={dice.choice(('dental', 'mill', 'hotel', 'zzz'))}")


def take_order(browser, dice):
    """Fill the form and send it."""
    yield browser.get("/orders/new/")
    if customers := browser.links(r'<option value="(\d+)"'):
        line = lines(dice)[0]
        form = {
            "customer": dice.choice(customers),
            "note": dice.choice(("", "", "Urgent, please!")),
            "lines-TOTAL_FORMS": 1,
            "lines-INITIAL_FORMS": 0,
            "lines-0-product": line["product"],
            "lines-0-quantity": line["quantity"],
        }
        yield browser.submit("/orders/new/", form)


def ship(browser, dice):
    """Ship an open order, if there is one."""
    yield browser.get("/orders/?state=open")
    if found := browser.links(r'href="(/orders/\d+/)"'):
        order = dice.choice(found)
        yield browser.get(order)
        yield browser.submit(f"{order}ship/", {})


def approve(browser):
    """Approve an invoice that the page before shows, if it shows one."""
    if found := browser.links(r'href="(/invoices/[0-9a-f-]{36}/)"'):
        yield browser.get(found[0])
        yield browser.submit(f"{found[0]}approve/", {})


def lines(dice):
    """Return what somebody wants to buy, by the names of the API."""
    bought = dice.sample([sku for sku, *_rest in PRODUCTS if sku != UNSOLD], dice.randint(1, 3))
    return [{"product": sku, "sku": sku, "quantity": dice.randint(1, 12)} for sku in bought]


def browser_of(root, login):
    """Return a member's browser."""
    return Browser(root, MEMBERS[login].clients[0])

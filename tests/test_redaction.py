"""What is taken for a secret, by its name and by its shape, and what is not."""

import pytest

from trackmate.redaction import (
    MASK,
    MAX_TEXT,
    SecretNames,
    Walk,
    clean_line,
    clean_text,
    cut,
    keyed_hash,
    redactor,
    without,
    words_of,
)

SECRET = """
password PASSWORD user_password passwordConfirm new-password1 passwd pwd db_pwd passphrase
passcode secret client_secret clientSecret SECRET_KEY secret_key token tokens access_token
refreshToken csrfmiddlewaretoken csrf csrftoken X-CSRFToken xsrf X-XSRF-TOKEN jwt JWT bearer
authorization Authorization Proxy-Authorization auth X-Auth basic_auth cookie Cookie Set-Cookie
cookies session sessionid session_id sid connect.sid PHPSESSID_sid otp otp_code totp pin PIN
user_pin pinCode cvv cvv2 cvc ssn SSN iban IBAN signature Signature sig X-Amz-Signature
X-Amz-Security-Token credential credentials X-Amz-Credential api_key apiKey apikey APIKEY
X-Api-Key x-api-key1 private_key privateKey access_key AWS_ACCESS_KEY_ID accessKey secretKey
signing_key encryption-key card_number cardNumber credit_card creditCardNumber account_number
accountNumber accountnumber mypasswordfield thesecretthing
""".split()  # noqa: SIM905 (a list to read)

HARMLESS = """
author authors authority authored_by authentic keyboard monkey turkey donkey key keys
primary_key foreign_key public_key keyword key_count sort_key sidebar side compass compassion
passenger passengers pass_rate bypass passage passive passport_country surpass pint pins_count
pinned pinterest spinner opinion shipping design assign signal signed_at resign significance
sign sigma insight consider president inside residence outside cookbook cooking rookie obsession
possession professional card cards cardinal account accounts discount number numbers card_type
account_name otpauth_label robot cotton essn name email username user first_name city note
quantity state status
""".split()  # noqa: SIM905 (a list to read)


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_name_is_known(name):
    assert name in SecretNames()


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_is_left_alone(name):
    assert name not in SecretNames()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-Amz-Signature", ("x", "amz", "signature")),
        ("userAPIKey2", ("user", "api", "key")),
        ("card[number]", ("card", "number")),
        ("straßeÄnderung", ("straßeänderung",)),
        ("", ()),
        ("__1__", ()),
    ],
)
def test_names_are_split_where_words_end(name, words):
    assert words_of(name) == words


def test_a_project_adds_names_as_whole_words(configure):
    configure(REDACT_KEYS=["pesel", "blood group"])
    names = redactor().names
    assert all(name in names for name in ("pesel", "userPesel", "blood_group", "bloodGroup"))
    assert all(name not in names for name in ("peseldorf", "blood", "group", "group_blood"))


# --- shapes ----------------------------------------------------------------------------------

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----"
SHAPES = {
    "card": "4111111111111111",
    "card with blanks": "4111 1111 1111 1111",
    "card with dashes": "5500-0000-0000-0004",
    "card of 15 digits": "378282246310005",
    "card of 19 digits": "6304000000000000000",
    "JWT": JWT,
    "unsigned JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0In0.",
    "PEM block": PEM,
    "half a PEM block": PEM[:50],
    "AWS key": "AKIAIOSFODNN7EXAMPLE",
    "temporary AWS key": "ASIAIOSFODNN7EXAMPLE",
}


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("around", ["{}", "before {} after", '"{}"', "a={},b", "x/{}/y"])
def test_a_secret_shape_is_masked_wherever_it_stands(secret, around):
    masked = redactor().text(around.format(secret))
    assert secret not in masked
    assert MASK in masked


SPOKEN = {
    "Authorization: Bearer abc.def-123": "abc.def-123",
    "authorization=Basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "sent Bearer abcdef123456": "abcdef123456",
    "sent token 9f8e7d6c5b4a": "9f8e7d6c5b4a",
    "Cookie: a=1; sessionid=xyz": "xyz",
    "Set-Cookie: id=v41u3; Path=/": "v41u3",
    "postgres://me:hunter2@db/x": "hunter2",
    "password=hunter2": "hunter2",
    "password: hunter2": "hunter2",
    "{'password': 'hunter 2'}": "hunter 2",
    '{"api_key": "hunter2"}': "hunter2",
    "login[password]=hunter2": "hunter2",
    "?a=1&sig=hunter2&b=2": "hunter2",
}


@pytest.mark.parametrize(("text", "secret"), SPOKEN.items())
def test_a_secret_that_a_text_names_is_masked(text, secret):
    assert secret not in redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "order 20260102030405 of 2026",
        "1.4111111111111111",
        "63566422-7486-4d50-9076-1d6cf1e832e2",  # a UUID whose first digits pass for a card
        "6356642274864d5090761d6cf1e832e2",
        "a4111111111111111",
        "AKIAshort and AKIAIOSFODNN7EXAMPLETOOLONG",
        "eyJ is how it begins",
        "the bearer of news",
        "basic needs and digest authentication",
        "author: Jane, monkey=business",
        "https://example.org/a:b@c",
        "Token of my esteem",
        "key=value",
        "192.168.100.100 2001:db8::1",
        "018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text):
    assert redactor().text(text) == text


@pytest.mark.parametrize(
    ("query", "masked"),
    [
        ("sig=abc&page=2", "sig=REDACTED&page=2"),
        ("X-Amz-Signature=abc", "X-Amz-Signature=REDACTED"),
        ("%70assword=abc", "password=REDACTED"),
        ("token=", "token="),
        ("q=4111111111111111", "q=REDACTED"),
        ("a=1&a=2", "a=1&a=2"),
        ("next=%2Freset%3Ftoken%3Dabc", "next=%2Freset%3Ftoken%3DREDACTED"),
    ],
)
def test_a_query_keeps_the_key_and_loses_the_value(query, masked):
    assert redactor().query(query) == masked


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://a.example/x?token=abc#top", "https://a.example/x?token=REDACTED#top"),
        ("https://a.example/#access_token=abc", "https://a.example/#access_token=[redacted]"),
        ("https://me:abc@a.example/", "https://me:[redacted]@a.example/"),
        (f"https://a.example/{JWT}", "https://a.example/[redacted]"),
    ],
)
def test_a_url_is_masked_in_all_its_parts(url, masked):
    assert redactor().url(url) == masked


# --- data ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "x", "name": "y"}, {"password": MASK, "name": "y"}),
        ({"a": [{"b": {"token": "x"}}]}, {"a": [{"b": {"token": MASK}}]}),
        ({"tokens": ["x", "y"]}, {"tokens": MASK}),
        ({"auth": {"user": "x"}}, {"auth": MASK}),
        ({"password": "", "pin": None}, {"password": "", "pin": None}),
        ({"pin": 0, "otp": False}, {"pin": MASK, "otp": MASK}),
        ([{"name": "password", "value": "x"}], [{"name": "password", "value": MASK}]),
        ({"key": "api_key", "value": "x"}, {"key": "api_key", "value": MASK}),
        ({"n": 4111111111111111}, {"n": MASK}),
        ({"password=x": 1}, {f"password={MASK}": MASK}),
        ([b"secret"], ["[6 bytes]"]),
    ],
)
def test_data_are_masked_at_any_depth(value, masked):
    assert redactor().value(value) == masked


def test_what_is_masked_stays_as_it_was():
    value = {"password": "x", "list": [{"token": "y"}]}
    redactor().value(value)
    assert value == {"password": "x", "list": [{"token": "y"}]}


def test_masking_twice_is_masking_once():
    once = redactor().text("password=hunter2 Bearer abcdef123456 postgres://me:x@db")
    assert redactor().text(once) == once


def test_a_project_adds_patterns(configure):
    configure(REDACT_PATTERNS=[r"\bPL\d{4}\b"])
    assert redactor().value(["id PL1234", "PL12345"]) == [f"id {MASK}", "PL12345"]


def test_what_was_found_by_name_is_found_without_it():
    found = set()
    redactor(found).value({"password": "correct horse", "pin": "1234"})
    assert found == {"correct horse"}  # four digits occur in too much else
    assert without(found, {"a": ["the correct horse"]}) == {"a": [f"the {MASK}"]}


def test_a_flood_of_secrets_is_remembered_within_bounds():
    found = set()
    redactor(found).value({f"token{n}": f"{n:010}" for n in range(500)})
    assert len(found) == 20


def test_a_keyed_hash_is_stable_and_differs_by_purpose_and_key(settings):
    first = keyed_hash("x", "session")
    assert first == keyed_hash("x", "session")
    assert len({first, keyed_hash("x", "address"), keyed_hash("y", "session")}) == 3
    settings.SECRET_KEY = "another"
    assert keyed_hash("x", "session") != first


# --- bounds ----------------------------------------------------------------------------------

ADVERSARIES = {
    "digits": "4" * MAX_TEXT,
    "digits and dashes": "4-" * (MAX_TEXT // 2),
    "dots of a token": "eyJ" + "a." * (MAX_TEXT // 2),
    "begun tokens": "eyJaaaa." * (MAX_TEXT // 8),
    "begun blocks": "-----BEGIN A-----" * (MAX_TEXT // 17),
    "begun keys": "AKIA" * (MAX_TEXT // 4),
    "schemes": "bearer " * (MAX_TEXT // 7),
    "scheme and letters": "basic " + "a" * MAX_TEXT,
    "cookies": "cookie:" * (MAX_TEXT // 7),
    "userinfo": "://" + "a:" * (MAX_TEXT // 2),
    "begun userinfo": "://a:" * (MAX_TEXT // 5),
    "assignments": "a=" * (MAX_TEXT // 2),
    "secret assignments": "pin=" * (MAX_TEXT // 4),
    "names without a sign": "password." * (MAX_TEXT // 9) + "=",
    "names and brackets": "pin[" * (MAX_TEXT // 4) + "=",
    "quotes": "pin='" * (MAX_TEXT // 5),
    "blanks": "pin" + " " * MAX_TEXT + "= x",
    "dashes": "-" * MAX_TEXT,
}


@pytest.mark.parametrize("text", ADVERSARIES.values(), ids=ADVERSARIES)
def test_no_text_makes_masking_wait(text):
    """A pattern that went back over it would take minutes, and this suite with it."""
    assert len(Walk(text=redactor().text)(text)) <= MAX_TEXT * 3


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 5000])
def test_what_is_cut_once_is_not_cut_again(length):
    once = cut("x" * (length + 100), length)
    assert once == f"{'x' * length}… [100 more]"
    assert cut(once, length) == once


def test_what_is_shortened_once_is_not_shortened_again():
    value = {"a": list(range(5000)), "b": "x" * 50_000}
    once = Walk()(value)
    assert once["a"][-1] == "[3001 more]"
    assert Walk()(once) == once


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nERROR forged", "a\ufffd\ufffdERROR forged"),
        ("\x1b[31m", "\ufffd[31m"),
        ("\u202egnp", "\ufffdgnp"),
        ("\u2028\u2029\x85", "\ufffd\ufffd\ufffd"),
        ("a\tb", "a\ufffdb"),
        ("x" * 100, "x" * 49 + "…"),
        ("🐙é漢", "🐙é漢"),
    ],
)
def test_no_text_forges_or_reorders_a_line(text, line):
    assert clean_line(text, 50) == line


def test_a_text_keeps_its_lines_and_tabs():
    assert clean_text("a\r\nb\tc\nd\0") == "a\nb\tc\nd\ufffd"

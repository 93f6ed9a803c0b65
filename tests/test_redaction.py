"""What is taken for a secret, by its name, its form and its place, and what is not."""

import json
from urllib.parse import parse_qsl, quote

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.core.signing import Signer, TimestampSigner
from django.utils.crypto import get_random_string

from trackmate.redaction.detection.names import SecretNames, Sensitivity, words_of
from trackmate.redaction.detection.randomness import looks_random, reads_like_words
from trackmate.redaction.known_secrets import MASK, KnownSecrets
from trackmate.redaction.redactor import get_redactor
from trackmate.redaction.routes import is_about_authentication
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import MAX_TEXT, clean_line, clean_text, keyed_hash, truncate

SECRET = {
    "in general": """
        password PASSWORD user_password passwordConfirm new-password1 passwd pwd db_pwd passphrase
        passcode secret client_secret clientSecret SECRET_KEY secret_key token tokens access_token
        refreshToken csrfmiddlewaretoken csrf csrftoken X-CSRFToken xsrf X-XSRF-TOKEN jwt JWT bearer
        authorization Authorization Proxy-Authorization auth X-Auth basic_auth cookie Cookie
        Set-Cookie cookies session sessionid session_id sid connect.sid PHPSESSID_sid otp otp_code
        totp pin PIN user_pin pinCode cvv cvv2 cvc ssn SSN iban IBAN signature Signature sig
        X-Amz-Signature X-Amz-Security-Token credential credentials X-Amz-Credential api_key apiKey
        apikey APIKEY X-Api-Key x-api-key1 private_key privateKey access_key AWS_ACCESS_KEY_ID
        accessKey secretKey signing_key encryption-key card_number cardNumber credit_card
        creditCardNumber account_number accountNumber accountnumber mypasswordfield thesecretthing
        jsessionid JSESSIONID ASP.NET_SessionId new_pass user_pass newpass oldPass pass pw psw pass1
        fields[0][password] form-0-password user[password] login-password_1 license_key
        account[pass] form-0-pass login.pass licence-key licenseKey mnemonic
        seed_phrase recoveryPhrase webhook_key ssh_key
        """,
    "django-allauth": """
        password1 oldpassword login_code activation_key confirmation_key recovery_codes unused_codes
        X-Session-Token session_token totp_secret totp_svg totp_svg_data_uri mfa_code
        """,
    "dj-rest-auth": "new_password1 new_password2 token access_token id_token verification_key",
    "simplejwt and knox": "token access_token refresh_token token_key auth_token",
    "django-oauth-toolkit": """
        client_secret code_verifier client_assertion assertion device_code refresh_token
        access_token authorization_code id_token_hint
        """,
    "two-factor": """
        auth-password token-otp_token backup-otp_token generator-token backup_codes backupCode
        verification_code one_time_code sms_code qr_code provisioning_uri
        """,
    "payments": """
        ccv csc cvn verification_value security_code securityCode card[number] card[cvc] cc-number
        cc_num
        """,
    "shortened or squashed": """
        userpw dbpass vaultpass storepass keypass become_pass mdp clave puk wifi_psk mtan pswd
        passwrd social_security_number SocialSecurityNo security_answer creditcardnumber
        cardsecuritycode card_verification_value 2fa_code AccountKey hmac_key priv_key setupKey
        oauth_verifier adm_pw rootpw pwdconfirm passconf pass_confirmation verify_key reset_hash
        app_key rescue_code payment_method_nonce cc_cid ccno wpa_key wallet_seed geslo
        κωδικός 口令 %70assword user%5Bpassword%5D
        """,
    "SAML, CAS, sesame, magic links": """
        SAMLResponse SAMLRequest SAMLart ticket pgtIou pgtId sesame magic_link reset_link pat
        """,
    "other languages": """
        passwort Passwort kennwort mot_de_passe motDePasse motdepasse contrasena contraseña senha
        wachtwoord Sicherheitscode Zugangsdaten Bestätigungscode Kartennummer mot_passe contrasenia
        código_de_verificación codigoSeguridad numero_tarjeta clé_api haslo
        hasło heslo salasana lösenord şifre пароль パスワード
        """,
}

HARMLESS = {
    "in general": """
        author authors authority authored_by authentic keyboard monkey turkey donkey keys
        primary_key foreign_key public_key keyword key_count sort_key sidebar side compass
        compassion passenger passengers pass_rate bypass passage passive passport_country surpass
        pint pins_count pinned pinterest spinner opinion shipping design assign signal signed_at
        resign significance sign sigma insight consider president inside residence outside cookbook
        cooking rookie obsession possession professional card cards cardinal account accounts
        discount number numbers card_type account_name otpauth_label robot cotton essn name email
        username user first_name city note quantity state status path boarding_pass passed
        """,
    "about a secret": """
        max_tokens maxTokens token_count token_type tokenType tokenizer tokenize
        authorization_grant_type has_usable_password hasUsablePassword is_password_set
        password_strength password_changed_at token_expires_in session_count session_expiry
        cookie_policy auth_method auth_provider min_password_length num_tokens total_tokens
        token_symbol password_rules password_age_days token_hours
        otp_channel pin_position credit_card_fee iban_country
        signature_image_url session_title ticket_price session_start_time auth_user
        """,
    "codes and keys that plainly are none": """
        country_code zip code_of_conduct zip_code zipCode postal_code currency_code language_code
        status_code error_code product_code sort_key partition_key cache_key foreignKey
        commit_hash file_hash contentHash
        """,
}


def words(table):
    return [name for names in table.values() for name in names.split()]


@pytest.mark.parametrize("name", words(SECRET))
def test_a_secret_name_is_known(name):
    assert name in SecretNames()


@pytest.mark.parametrize("name", words(HARMLESS))
def test_a_harmless_name_is_left_alone(name):
    assert name not in SecretNames()


@pytest.mark.parametrize("name", ["mfa", "2fa", "tan", "seed"])
def test_some_are_a_secret_on_the_way_of_a_login_alone(name):
    assert SecretNames().sensitivity(name) == Sensitivity.CONTEXTUAL


def test_the_end_of_a_long_name_says_what_it_is():
    assert "x" * 500 + "_password" in SecretNames()


@pytest.mark.parametrize(
    "name", ["code", "key", "hash", "x_code", "emailKey2", "keys", "Code", "refresh"]
)
def test_some_names_are_judged_by_what_is_around_them(name):
    assert SecretNames().sensitivity(name) >= Sensitivity.CONTEXTUAL


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-Amz-Signature", ("x", "amz", "signature")),
        ("userAPIKey2", ("user", "api", "key")),
        ("card[number]", ("card", "number")),
        ("straßeÄnderung", ("straße", "anderung")),
        ("", ()),
        ("__1__", ()),
    ],
)
def test_names_are_split_where_words_end(name, words):
    assert words_of(name) == words


def test_a_project_adds_names_as_whole_words(configure):
    configure(REDACT_KEYS=["pesel", "blood group"])
    names = get_redactor().names
    assert all(name in names for name in ("pesel", "userPesel", "blood_group", "bloodGroup"))
    assert all(name not in names for name in ("peseldorf", "blood", "group", "group_blood"))


def test_a_project_exempts_names(configure):
    configure(REDACT_EXEMPT=["session", "course token"])
    names = get_redactor().names
    spared = ("session", "Session", "form-0-session", "fields[2][session]", "course_token")
    assert all(name not in names for name in spared)
    kept = ("session_key", "auth_session", "sessionid", "token", "course", "my_token")
    assert [name for name in kept if name not in names] == ["course"]


@pytest.mark.parametrize("exempt", ["token", "code", "key", "pin", "secret", "auth", "cookie"])
def test_an_exempt_name_frees_no_name_that_says_more(exempt):
    names, usual = SecretNames((), [exempt]), SecretNames()
    longer = f"access_{exempt} reset-{exempt} api{exempt.title()} my_auth_{exempt} sms_{exempt}"
    for name in longer.split():
        assert names.sensitivity(name) == usual.sensitivity(name)
    for name in (exempt, f"form-0-{exempt}", f"fields[2][{exempt}]", f"order.{exempt}[]"):
        assert names.sensitivity(name) == Sensitivity.HARMLESS


def test_what_a_project_adds_is_masked_even_if_it_is_a_number(configure):
    configure(REDACT_KEYS=["salary"])
    assert get_redactor().mask_data({"salary": 5000, "raise": 1}) == {"salary": MASK, "raise": 1}


# --- forms -----------------------------------------------------------------------------------

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----"
USER = User(pk=7, email="a@example.org", password="x")
FORMS = {
    "card": "4111111111111111",
    "card with blanks": "4111 1111 1111 1111",
    "card with dashes": "5500-0000-0000-0004",
    "card with points": "4111.1111.1111.1111",
    "card with en dashes": "4111\u20131111\u20131111\u20131111",
    "card with wide blanks": "4111\u00a01111\u00a01111\u00a01111",
    "card with blanks and dashes": "4111 - 1111 - 1111 - 1111",
    "card with underscores": "4111_1111_1111_1111",
    "card with apostrophes": "4111'1111'1111'1111",
    "card with tildes": "4111~1111~1111~1111",
    "card with semicolons": "4111; 1111; 1111; 1111",
    "card with colons": "4111:1111:1111:1111",
    "American Express in its groups": "3782 822463 10005",
    "card of 15 digits": "378282246310005",
    "card of 19 digits": "6304000000000000000",
    "JWT": JWT,
    "unsigned JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0In0.",
    "PEM block": PEM,
    "half a PEM block": PEM[:50],
    "Django's password hash": PBKDF2PasswordHasher().encode("x", "saltsalt", 5),
    "argon2": "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
    "bcrypt": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "Google's client secret": "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",
    "Vault token": "hvs.CAESIk3Jx9QpL2mVt7RwZ8aBck3Jx",
    "DigitalOcean token": "dop_v1_9944b09199c62bcf9418ad846dd0e4bb9944b09199c62bcf9418ad846dd0e4bb",
    "signature of another algorithm": Signer(algorithm="sha512").sign("7"),
    "signature with another sign": Signer(sep="|").sign("7"),
    "AWS key": "AKIAIOSFODNN7EXAMPLE",
    "temporary AWS key": "ASIAIOSFODNN7EXAMPLE",
    "GitHub token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "Slack token": "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzzqgy",
    "Stripe key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "password reset token": default_token_generator.make_token(USER),
    "signature": Signer().sign("invitation-7"),
    "signature with a time": TimestampSigner().sign("a@example.org"),
    "signed data": signing.dumps({"user": 7}),
    "signed and compressed data": signing.dumps(["x" * 100], compress=True),
    "CAS ticket": "ST-1856339-aA5Yuvrxzpv8Tau1cYQ7",
}


@pytest.mark.parametrize("secret", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("around", ["{}", "before {} after", '"{}"', "a={},b", "x/{}/y"])
def test_a_secret_form_is_masked_wherever_it_is(secret, around):
    masked = get_redactor().mask_text(around.format(secret))
    assert secret not in masked
    assert secret.rpartition(":")[2] not in masked
    assert MASK in masked


URLS = [name for name in FORMS if "card" not in name and "PEM" not in name and "Exp" not in name]


@pytest.mark.parametrize("secret", [FORMS[name] for name in URLS], ids=URLS)
@pytest.mark.parametrize("around", ["/p/{}/", "https://a.example/p/{}/?a=1", "/p/?anything={}"])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_secret_form_is_masked_in_addresses(secret, around, times):
    for _ in range(times):
        secret = quote(secret, safe="")
    masked = get_redactor().mask_url(around.format(secret))
    assert secret not in masked
    assert masked.startswith(around.partition("{")[0])


SPOKEN = {
    "Authorization: Bearer abc.def-123": "abc.def-123",
    "authorization=Basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "sent Bearer abcdef123456": "abcdef123456",
    "sent token 9f8e7d6c5b4a": "9f8e7d6c5b4a",
    "Cookie: a=1; sessionid=xyz": "xyz",
    "Set-Cookie: id=v41u3; Path=/": "v41u3",
    "postgres://me:hunter2@db/x": "hunter2",
    "postgres://me:hun/ter2@db/x": "hun/ter2",
    "postgres://me:h@un:ter2@db:5432/x": "un:ter2",
    "postgres://me:hun?te#r2@db/x": "te#r2",
    "postgres://me:hun ter2@db/x": "ter2",
    "redis://:hunter2@[::1]:6379": "hunter2",
    "password=hunter2": "hunter2",
    "password: hunter2": "hunter2",
    "password: two words": "two words",
    "wrong password: two words, user: bob": "two words",
    "password => hunter2": "hunter2",
    "{'password': 'hunter 2'}": "hunter 2",
    '{"api_key": "hunter2"}': "hunter2",
    '{"api_key": "hun\\"ter2"}': "ter2",
    '"{\\"password\\": \\"hunter2\\"}" is no JSON': "hunter2",
    "login[password]=hunter2": "hunter2",
    "fields[0][password]=hunter2": "hunter2",
    "?a=1&sig=hunter2&b=2": "hunter2",
    "mysql --user bob --password hunter2 db": "hunter2",
    "mysql --password=hunter2": "hunter2",
    "curl --api-key 'hunter2'": "hunter2",
    "mysql --password swordfish db": "swordfish",
    "mysql --password SWORDFISH": "SWORDFISH",
    "curl -u bob:hunter2 https://x.example": "hunter2",
    "http --auth bob:hunter2 https://x.example": "hunter2",
    "curl --user 'bob:hunter 2' https://x.example": "hunter",
    "password\thunter2": "hunter2",
    "the password for bob is hunter2": "hunter2",
    "<user>bob</user><password>hunter2</password>": "hunter2",
    '<ns:Password type="x">hunter 2</ns:Password>': "hunter 2",
    "<secret><![CDATA[hunter2]]></secret>": "hunter2",
    'mutation { login(username: "bob", password: "hunter2") { token } }': "hunter2",
    "otpauth://totp/a:b?secret=JBSWY3DPEHPK3PXP&issuer=a": "JBSWY3DPEHPK3PXP",
    "Your code is 123456.": "123456",
    "The verification code: 482-913": "482-913",
    "OTP 4829": "4829",
    "one-time password 482913 was wrong": "482913",
    "your login code is 123 456": "123 456",
    "password%3Dhunter2": "hunter2",
    "%7B%22password%22%3A%22hunter2%22%7D": "hunter2",
    '{"a": "{\\"password\\": \\"hunter2\\"}"}': "hunter2",
}


@pytest.mark.parametrize(("text", "secret"), SPOKEN.items())
def test_a_secret_that_a_text_names_is_masked(text, secret):
    masked = get_redactor().mask_text(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("wrong password: two words, user: bob", f"wrong password: {MASK}, user: bob"),
        ("password: x y user: bob", f"password: {MASK} user: bob"),
        ("mysql --password hunter2 db", f"mysql --password {MASK} db"),
        ("<a>1</a><password>x</password><b>2</b>", f"<a>1</a><password>{MASK}</password><b>2</b>"),
        ("postgres://me:h@x@db:5432/x", f"postgres://me:{MASK}@db:5432/x"),
        ("Your code is 123456, bob.", f"Your code is {MASK}, bob."),
    ],
)
def test_the_rest_of_a_text_stays(text, masked):
    assert get_redactor().mask_text(text) == masked


Z = "Zebra77Tulip"
NAMED = [
    "password: {Zebra77Tulip",
    "password: [Zebra77Tulip]",
    "password: (Zebra77Tulip)",
    "password: Zebra77Tulip:77",
    "password: Zebra77Tulip=x y",
    "password: http://Zebra77Tulip",
    "password: p&ssZebra77Tulip",
    "password: pass,Zebra77Tulip",
    "password=a;Zebra77Tulip",
    "password=a)Zebra77Tulip",
    "password: p(a)ss)Zebra77Tulip",
    "password    :    Zebra77Tulip",
    "password -> Zebra77Tulip",
    "password：Zebra77Tulip",  # noqa: RUF001
    "Password (again): Zebra77Tulip",
    "**password:** Zebra77Tulip",
    "`password`: `Zebra77Tulip`",
    "_password: Zebra77Tulip",
    "API key: Zebra77Tulip",
    "the secret key = Zebra77Tulip",
    "Mot de passe : Zebra77Tulip",
    "recovery codes: abcd1234, Zebra77Tulip",
    "Server=x;Uid=sa;Pwd=two Zebra77Tulip;",
    "A=1\nDB_PASSWORD=two Zebra77Tulip\nB=2",
    "{'password': ['Zebra77Tulip']}",
    "{'password': {'a': [\"Zebra77Tulip\"]}}",
    '{"password": ["a", "Zebra77Tulip"], oops',
    "{'password': b'Zebra77Tulip'}",
    "{'password': u\"Zebra77Tulip\", 1: 2}",
    "{'password': Secret('Zebra77Tulip')}",
    "<QueryDict: {'password': ['Zebra77Tulip'], 'a': ['1']}>",
    "OrderedDict([('password', 'Zebra77Tulip')])",
    '["password", "Zebra77Tulip"',
    '{"name": "password", "value": "Zebra77Tulip"',
    "password = '''Zebra77Tulip'''",
    'login(password: """Zebra77Tulip""")',
    "user: bob\npassword: |\n  Zebra77Tulip\n",
    "passwords:\n  - Zebra77Tulip",
    "password: “Zebra77Tulip”",
    "password: «Zebra77Tulip»",
    "&quot;password&quot;: &quot;Zebra77Tulip&quot;",
    "\\u0022password\\u0022: \\u0022Zebra77Tulip\\u0022",
    "password='it''s Zebra77Tulip'",
    "token=AKIAIOSFODNN7EXAMPLE/Zebra77Tulip",
    "token=[redacted]Zebra77Tulip",
    "password: REDACTEDZebra77Tulip",
    "Authorization: Api-Key two Zebra77Tulip",
    "Authorization: NTLM Zebra77Tulip",
    'Authorization: Digest username="bob", response="Zebra77Tulip"',
    "the password was Zebra77Tulip",
    "Password (Zebra77Tulip) wrong",
    "ALTER USER bob WITH PASSWORD 'Zebra77Tulip'",
    "IDENTIFIED BY 'Zebra77Tulip'",
    '--password "two Zebra77Tulip"',
    "--passwd\nZebra77Tulip",
    "<password><![CDATA[a<Zebra77Tulip]]></password>",
    '<input type="password" value="Zebra77Tulip">',
    "<input name=\"csrfmiddlewaretoken\" value='Zebra77Tulip'>",
    '<field name="password">Zebra77Tulip</field>',
    '<add key="password" value="Zebra77Tulip"/>',
    "<key>password</key><string>Zebra77Tulip</string>",
    "https://Zebra77Tulip:x-oauth-basic@github.com/",
    "https://Zebra77Tulip:@api.stripe.com/",
    "name=password&value=Zebra77Tulip",
    "a=1&user%5Bpassword%5D=Zebra77Tulip",
    'x={"password": ["Zebra77Tulip"]};',
    ')]}\',\n{"password": ["Zebra77Tulip"]}',
    '"{\\"password\\": [\\"Zebra77Tulip\\"]}"',
]


@pytest.mark.parametrize("text", NAMED, ids=range(len(NAMED)))
def test_a_secret_is_masked_however_a_text_is_written(text):
    rules = get_redactor()
    assert Z not in rules.mask_text(text)
    assert MASK in rules.mask_text(text) or "REDACTED" in rules.mask_text(text)
    assert Z not in json.dumps(rules.mask_data({"note": text}))


def test_names_in_a_tuple_of_a_text_are_no_secrets():
    rules = get_redactor()
    text = "INSERT INTO users ('password', 'email') and ('token', 'secret')"
    assert rules.mask_text(text) == text
    assert not rules.known_secrets


@pytest.mark.parametrize("password", ["never gonna give", "the quick fox", "see hunter2", "what"])
def test_a_password_of_words_is_no_prose(password):
    assert get_redactor().mask_text(f"password: {password}") == f"password: {MASK}"
    assert password not in get_redactor().mask_text(f"{{'password': '{password}'}}")


@pytest.mark.parametrize("password", ["invalid", "must be longer", "the", "vergessen"])
def test_a_password_in_quotes_is_no_remark(password):
    assert password not in get_redactor().mask_text(f"{{'password': '{password}'}}")
    assert password not in get_redactor().mask_text(f"<password>{password}</password>")


@pytest.mark.parametrize(
    "text",
    [
        "OTP 482913",
        "OTP 4829.",
        "2FA 482913",
        "my 2FA 482 913",
        "OTP for bob is 482913",
        "the one-time code 482913 was wrong",
        "482913 is your verification code",
        "G-482913 is your Google verification code",
        "Use 482913 to sign in",
        "Enter code 482913 to verify",
        "482913 as your login code: use 482913 as your login code",
        "Ihr Code lautet 482913",
        "Dein Code: 482913",
        "Votre code est 482913",
        "Su código es 482913",
        "your code for github is 482913",
        "verification code (482913)",
        "PIN 482913",
        "482913 is your one-time password",
        "Dein Einmalpasswort lautet 482913",
        "Ihre TAN: 482913",
        "Sicherheitscode 482913",
        "Tu código de verificación es 482913",
        "Votre code de vérification est 482913",
        "Il tuo codice è 482913",
        "Seu código é 482913",
        "Uw code is 482913",
    ],
)
def test_a_one_time_code_is_masked_whole(text):
    masked = get_redactor().mask_text(text)
    for digits in ("4829", "2913", "913", "482 "):
        assert digits not in masked.replace("482913 as your login code: use", "")


@pytest.mark.parametrize("code", ["ABCD-1234", "NWLZ-PXTL", "K7QX2P", "482-913"])
def test_a_one_time_code_may_have_letters(code):
    assert get_redactor().mask_text(f"Your login code is {code}.") == f"Your login code is {MASK}."


@pytest.mark.parametrize(
    "text",
    [
        "line 12: unexpected indent",
        "Address line 2: Flat 7, Line 3: Berlin",
        "EAN 4006381333931, Tel. +4915112345678, 0049 30 901820 12345",
        "IMEI 490154203237518 and 356938035643809",
        "The password must contain 8 characters. Password: must contain 8 characters",
        "Password: see the manual, Passwort: vergessen",
        "token: expired, token=missing, pin: see board",
        "session: 12:30, ticket: #4711, auth=oauth2",
        "Bearer certificates and bearer instruments are banned",
        "basic knowledge101, Basic 12345678, Token 123456789, Token ring802.5",
        "sk-learn-model-version-2024-final npm_config_registry_version_1",
        "ST-1234-boulevard, PT-109-memorial-site",
        "OTP 2024, MFA 2024 rollout, one-time fee 1500, the code is 1234 lines",
        "Your code review 1234 is done, use 2000 to 3000",
        "docker run -u 1000:1000 nginx, rsync -u a/b:c",
        "class assert; assist passengers, numbers 4111;5000;3000;1000;2000",
        "use --password to set it, --password or --token, --password FILE",
        "see http://foo: write to bob@example.org",
        "prompt tokens: 512, tokens: 1,024",
        "password: None, password=false, {'token': None}",
        "4111111111111112",  # the check digit is wrong
        "order 20260102030405 of 2026",
        "1.4111111111111111",
        "63566422-7486-4d50-9076-1d6cf1e832e2",  # a UUID whose first digits pass for a card
        "6356642274864d5090761d6cf1e832e2",
        "a4111111111111111",
        "9111111111111111",  # no issuer begins so, though the check digit is right
        "AKIAshort and AKIAIOSFODNN7EXAMPLETOOLONG",
        "eyJ is how it begins",
        "the bearer of news",
        "basic needs and digest authentication",
        "author: Jane, monkey=business",
        "https://example.org/a:b@c",
        "http://localhost:8000/@scope/package",
        "http://localhost:8000, or mail bob@example.org",
        "Token of my esteem",
        "key=value code=BLUE",
        "session=Spring, auth: required",
        "max_tokens=100 token_type: text token_count=3",
        "tokens: 512",
        "192.168.100.100 2001:db8::1",
        "018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e",
        "Last login 2026-01-02, login 1234 of 2026",
        "sha256:6fc8e2b0a1d94c7f8e5b3a2d1c0f9e8d",
        "photos-d41d8cd98f00b204e9800998ecf8427e.jpg",
        "module:a_function_of_many_letters_x",
        "2026-11-28T10:30:00.123456+01:00",
        "100% of 50 %20off",
        "<b>bold</b> and <token-list>",
        "/p/4821-5000-3000-1000/",
        "/p/4821-5000-3-1000/",
        "https://a.example/2026-11-28-4821-5000/",
        "C:\\Users\\bob",
        "--verbose --level 3 -x",
        '{"code": "BLUE", "key": "price"}',
        "{not: json}",
        "[1, 2",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text):
    assert get_redactor().mask_text(text) == text


def test_no_path_of_digits_and_dashes_is_a_card():
    paths = [f"/p/4821-5000-{middle}-{end}/" for middle in range(3000, 3050) for end in (1000, 77)]
    assert [path for path in paths if get_redactor().mask_text(path) != path] == []


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
        ("ticket=ST-1-abcdefgh", "ticket=REDACTED"),
        ("ticket=4711&session=17", "ticket=4711&session=17"),
        ("code=BLUE&key=price&hash=top", "code=BLUE&key=price&hash=top"),
        ("code=4%2F0AX4XfWh9dPz7Lq2aXb3c&a=1", "code=REDACTED&a=1"),
        ("code=abc&state=Zx8k2Qp", "code=REDACTED&state=Zx8k2Qp"),
        ("code=abc&client_id=web-client", "code=REDACTED&client_id=web-client"),
        ("action=verify&code=abc", "action=verify&code=REDACTED"),
        ("action=list&code=abc", "action=list&code=abc"),
        (
            'query=mutation{verify(code:"482913"){ok}}',
            'query=mutation{verify(code:"REDACTED"){ok}}',
        ),
        ("session=Spring+2026&max_tokens=7", "session=Spring+2026&max_tokens=7"),
        ("name=password&value=abc", "name=password&value=REDACTED"),
        ("r=%252Freset%253Ftoken%253Dabc", "r=%2Freset%3Ftoken%3DREDACTED"),
        ("filter=%7B%22password%22%3A%22abc%22%7D", 'filter={"password": "[redacted]"}'),
    ],
)
def test_a_query_keeps_the_name_and_loses_the_value(query, masked):
    assert parse_qsl(get_redactor().mask_query(query), keep_blank_values=True) == parse_qsl(
        masked, keep_blank_values=True
    )


@pytest.mark.parametrize(
    "query", ["code=abc", "key=abc", "hash=abc", "user_code=abc", "emailKey=abc", "code=1234"]
)
def test_codes_keys_and_hashes_are_secret_where_it_is_about_authentication(query):
    name = query.partition("=")[0]
    assert get_redactor(is_authentication=True).mask_query(query) == f"{name}=REDACTED"
    assert (
        get_redactor().mask_url(f"/accounts/verify/?{query}")
        == f"/accounts/verify/?{name}=REDACTED"
    )
    assert get_redactor().mask_url(f"/catalogue/?{query}") == f"/catalogue/?{query}"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://a.example/x?token=abc#top", "https://a.example/x?token=REDACTED#top"),
        ("https://a.example/#access_token=abc", "https://a.example/#access_token=[redacted]"),
        ("https://a.example/#/x?token=abc", "https://a.example/#/x?token=REDACTED"),
        ("https://me:abc@a.example/", "https://me:[redacted]@a.example/"),
        (f"https://a.example/{JWT}", "https://a.example/[redacted]"),
        ("//a.example/x;jsessionid=abc", "//a.example/x;jsessionid=[redacted]"),
        ("see https://a.example/?sig=abc now", "see https://a.example/?sig=REDACTED now"),
        ("http://[", "http://["),
        ("//", "//"),
        ("?", "?"),
    ],
)
def test_an_address_is_masked_in_all_its_parts(url, masked):
    assert get_redactor().mask_text(url) == masked


# --- data ------------------------------------------------------------------------------------

UUID = "018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e"
TOKEN = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "x", "name": "y"}, {"password": MASK, "name": "y"}),
        ({"a": [{"b": {"token": "x"}}]}, {"a": [{"b": {"token": MASK}}]}),
        ({"tokens": ["x", "y"]}, {"tokens": MASK}),
        ({"auth": {"user": "x", "a": "hunter2"}}, {"auth": {"user": "x", "a": MASK}}),
        ({"password": "", "pin": None}, {"password": "", "pin": None}),
        ({"pin": 0, "otp": 123456, "cvv": 7}, {"pin": MASK, "otp": MASK, "cvv": MASK}),
        ({"password": 12345678}, {"password": MASK}),
        ({"otp": False, "password": True}, {"otp": False, "password": True}),
        ({"auth": 2334, "session": 3, "token": 5}, {"auth": 2334, "session": 3, "token": 5}),
        ({"tokens": [1, 2]}, {"tokens": [1, 2]}),
        ({"session": "Spring 2026"}, {"session": "Spring 2026"}),
        ({"session": TOKEN, "ticket": "ab12"}, {"session": MASK, "ticket": MASK}),
        ({"max_tokens": "100", "token_type": "x"}, {"max_tokens": "100", "token_type": "x"}),
        ([{"name": "password", "value": "x"}], [{"name": "password", "value": MASK}]),
        ({"key": "api_key", "value": "x"}, {"key": "api_key", "value": MASK}),
        ({"field": "pin", "text": "1"}, {"field": "pin", "text": MASK}),
        ({"name": "colour", "value": "x"}, {"name": "colour", "value": "x"}),
        (["password", "x"], ["password", MASK]),
        ([["Authorization", "x"], ["Accept", "y"]], [["Authorization", MASK], ["Accept", "y"]]),
        (["db", "--password", "x", "-v"], ["db", "--password", MASK, "-v"]),
        (["password", "x", "y"], ["password", "x", "y"]),
        (
            {"f[0][name]": "password", "f[0][value]": "x", "f[1][value]": "y"},
            {"f[0][name]": "password", "f[0][value]": MASK, "f[1][value]": "y"},
        ),
        (
            {"form-0-key": "token", "form-0-value": "x"},
            {"form-0-key": "token", "form-0-value": MASK},
        ),
        ({"fields[0][password]": "x"}, {"fields[0][password]": MASK}),
        ({"n": 4111111111111111}, {"n": MASK}),
        ({"password=x": 1}, {f"password={MASK}": MASK}),
        ([b"secret"], ["[6 bytes]"]),
        ({"key": TOKEN}, {"key": MASK}),
        ({"code": "BLUE", "key": "price"}, {"code": "BLUE", "key": "price"}),
        ({"code": "123456", "zip_code": TOKEN}, {"code": "123456", "zip_code": TOKEN}),
        ({"sort_key": TOKEN, "commit_hash": TOKEN}, {"sort_key": TOKEN, "commit_hash": TOKEN}),
        ({"code": "x", "password": "y"}, {"code": MASK, "password": MASK}),
        ({"code": "N", "ssn": "1", "cvv": "7"}, {"code": "N", "ssn": MASK, "cvv": MASK}),
        ({"code": "x", "grant_type": "code"}, {"code": MASK, "grant_type": "code"}),
        ({"method": "totp", "code": "123456"}, {"method": "totp", "code": MASK}),
        ({"email": "a@b.c", "code": "123456"}, {"email": "a@b.c", "code": MASK}),
        ({"email": "a@b.c", "code": "BLUE"}, {"email": "a@b.c", "code": "BLUE"}),
        ({"note": '{"password": "x", "a": 1}'}, {"note": '{"password": "[redacted]", "a": 1}'}),
        ({"url": "/x?token=abc"}, {"url": "/x?token=REDACTED"}),
        ({"recovery_codes": ["a1", "b2"]}, {"recovery_codes": MASK}),
        ({"backup_codes": [{"code": "a1"}]}, {"backup_codes": [{"code": MASK}]}),
        ({"password": {"key": "a1", "type": "x"}}, {"password": {"key": MASK, "type": "x"}}),
        ({"phone": "+49301", "code": 482913}, {"phone": "+49301", "code": MASK}),
        ({"grant_type": "x", "code": 4829}, {"grant_type": "x", "code": MASK}),
        (
            {"password": "x", "confirm": "y", "ok": "z"},
            {"password": MASK, "confirm": MASK, "ok": "z"},
        ),
        ({"u[pass]": "x", "u[retype]": "y"}, {"u[pass]": MASK, "u[retype]": MASK}),
        (
            {"reset_token_uuid": UUID, "session_id": UUID},
            {"reset_token_uuid": MASK, "session_id": MASK},
        ),
    ],
)
def test_data_are_masked_at_any_depth(value, masked):
    assert get_redactor().mask_data(value) == masked


PAIRS = [
    {"Name": "password", "Value": Z},
    {"NAME": "password", "VALUE": Z},
    {"fieldName": "password", "fieldValue": Z},
    {"field_name": "password", "field_value": Z},
    {"headerName": "Authorization", "headerValue": Z},
    {"propertyName": "api_key", "value": Z},
    {"field": "password", "old_value": Z, "new_value": Z},
    {"field": "password", "from": Z, "to": Z},
    {"field": "password", "new": Z, "old": Z},
    {"op": "replace", "path": "/user/token", "value": Z},
    {"variable": "DB_PASSWORD", "value": Z},
    {"setting": "api_key", "value": Z},
    {"name": "password", "data": {"raw": [Z]}},
    {"name": "Authorization", "values": [Z]},
    {"label": "Your password", "answer": Z},
    {"name[0]": "password", "value[0]": Z},
    {"name_0": "password", "value_0": Z},
    {"key1": "password", "value1": Z},
    {"fields.0.name": "password", "fields.0.value": Z},
    {"name[]": ["user", "password"], "value[]": ["bob", Z]},
    {"keys": ["password"], "values": [Z]},
    {"columns": ["name", "password"], "rows": [["bob", Z], ["eve", Z]]},
    {"headers": ["name", "token"], "data": [["bob", Z]]},
    {"fields": ["name", "password"], "rows": [["bob", "x", Z]]},
]


@pytest.mark.parametrize("value", PAIRS, ids=str)
def test_the_value_of_a_pair_is_masked_in_every_shape(value):
    rules = get_redactor()
    assert Z not in json.dumps(rules.mask_data(value))
    assert Z in rules.known_secrets


@pytest.mark.parametrize(
    "value",
    [
        {"name": "session", "value": "Spring 2026"},
        {"label": "Ticket", "value": "Adult"},
        {"name": "tokens", "value": 512},
        {"name": "auth", "value": True},
        {"name": "password", "value": False},
        {"id": "password", "text": "Password"},
        {"label": "Password", "value": "password"},
        {"key": "login.password", "value": "Your password"},
        {"name": "Cookie", "content": "200g flour"},
        {"name": "Ticket price", "value": "12.50"},
        {"label": "Signature", "value": "yes"},
        {"title": "How to reset a password", "content": "Go to the login and ask for a link."},
        {"type": "token_expired", "data": {"hint": "again"}},
        {"columns": ["name", "tokens"], "rows": [["bob", 512]]},
        {"user_name": "token", "data": "x"},
    ],
    ids=str,
)
def test_a_pair_that_holds_no_secret_stays(value):
    assert get_redactor().mask_data(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {"fields": ["password", "username"]},
        {"order_by": ["token", "name"]},
        {"methods": ["otp", "sms"]},
        {"tags": ["cookie", "cake"]},
        {"schema": {"required": ["password", "city"]}},
        {"a": ["password", "email"]},
        ["token", "secret"],
    ],
    ids=str,
)
def test_names_in_a_list_are_no_secrets(value):
    assert get_redactor().mask_data(value) == value


STRUCTURES = [
    {"tickets": [{"type": "adult", "count": 2, "price": "12.50"}]},
    {"session": {"id": 5, "title": "Spring", "start": "2026-05-12T10:00:00Z"}},
    {"auth": {"method": "ldap", "user": 2334}},
    {"cookies": {"necessary": True, "marketing": False}},
    {"usage": {"tokens": {"prompt": 512, "total": 1024}}},
    {"token": {"type": "Bearer", "expires": "2026-05-12"}},
    {"password": {"min_length": 8, "required": True}},
    {"auth": {}, "token": {}, "session": [], "password": []},
]


@pytest.mark.parametrize("value", STRUCTURES, ids=str)
def test_what_is_said_of_a_secret_in_a_structure_stays(value):
    assert get_redactor().mask_data(value) == value


@pytest.mark.parametrize("levels", [1, 3, 7, 15])
@pytest.mark.parametrize("name", ["password", "tokens", "credentials", "creds"])
def test_a_secret_is_found_at_any_depth_below_its_name(name, levels):
    value = Z
    for level in range(levels):
        value = [value, {"x": 1}] if level % 2 else {"k": value}
    rules = get_redactor()
    assert Z not in json.dumps(rules.mask_data({name: value}))
    assert rules.known_secrets.mask(f"bad {Z}") == f"bad {MASK}"


def test_a_key_below_a_secret_name_may_be_the_secret():
    assert get_redactor().mask_data({"tokens": {Z: "active", "main": "x"}}) == {
        "tokens": {MASK: MASK, "main": MASK}
    }


LIKELY = """
    2026-05-12 2026-05-12T10:00:00Z 12:30 10:00-11:00 2026/27 WS26 A12 PROJ-123 INC0012345 #4711
    oauth2 OAuth2 2fa ldap+tls user_pass read:write spring-2026 C++ Q&A 50% 1.5 12345-2
    https://tracker.example/4711
""".split()  # noqa: SIM905 (a list to read)


@pytest.mark.parametrize("text", [*LIKELY, "Track 2: Django", "Day 1, 10:00-11:00", "12,50 €"])
def test_what_people_call_a_session_or_a_ticket_stays(text):
    value = {"session": text, "ticket": text, "auth": text}
    assert get_redactor().mask_data(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {
            "session_title": "Django: what's new?",
            "ticket_description": "x" * 300,
            "auth_user": "a7",
        },
        {"prompt_tokens": "512", "completion_tokens": 0, "tokens_used": "9", "eos_token": "</s>"},
        {"pin": "true", "password": "on", "accept_cookies": "yes", "auth": "none"},
        {"token_id": "018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e", "pin_color": "red"},
        {"secret_santa": "Bob", "map_pin": "red", "email_signature": "Best regards, Bob"},
        {"code": "BLUE", "csrfmiddlewaretoken": "on", "key": "colour", "hash": "top"},
        {"code": "94103", "state": "CA"},
        {"code": "CA", "state": "California"},
        {"code": "BLUE", "client": "ACME", "redirect_to": "/shop", "response": "fine"},
        {"code": "BLUE", "client_id": "5", "session_id": 5, "nonce": "x", "mfa_enabled": True},
        {"code": "SAVE20", "email": "a@b.c"},
        {"code": "1001", "account": "Cash", "name": "x", "kind": "y"},
        {"code": "0049", "phone": "123"},
        {"code": 404, "user": "bob"},
        {"code": "N", "pin_board": "yes", "otp": "off"},
        {"credit_card_company": "Visa", "card_number_issuer": "A", "credit_card_brand": "visa"},
        {"code": 1001, "account": "Cash", "name": "x", "kind": "y"},
        {"confirm": "y", "retype": "x", "name": "z"},
        {"password": "", "confirm": "yes", "ssl_verify": "/a/b.pem"},
        {"session": {"code": "CS101", "key": "keynote"}},
        {
            "key": "media/9f86d081884c7d659a2feaa0c55ad015.png",
            "s3_key": TOKEN,
            "sha256_hash": TOKEN,
        },
    ],
    ids=str,
)
def test_usual_data_stay(value):
    assert get_redactor().mask_data(value) == value


class Counting(dict):
    """A mapping that counts how often somebody goes through it."""

    rounds = 0

    def items(self):
        self.rounds += 1
        return super().items()


def test_what_is_beside_many_codes_is_looked_at_once():
    value = Counting({f"code{number}": f"x{number}" for number in range(1_000)})
    get_redactor().mask_data(value)
    assert value.rounds <= 3  # for the values, for what is beside them, for pairs


@pytest.mark.parametrize(
    "value",
    [
        {"code": "123456"},
        {"code": 123456},
        {"key": "abc"},
        {"token": 123456},
        {"email_code": "abc"},
        {"codes": ["a", "b"]},
    ],
)
def test_data_of_a_login_are_masked_more_strictly(value):
    (name,) = value
    assert get_redactor(is_authentication=True).mask_data(value) == {name: MASK}


@pytest.mark.parametrize(
    "value",
    [
        {"prompt_tokens": 2334, "tokens": 2334},
        {"auth": "oauth2", "expires_in": 3600},
        {"key": 17, "code": 42},
    ],
    ids=str,
)
def test_counts_and_words_stay_where_it_is_about_authentication(value):
    assert get_redactor(is_authentication=True).mask_data(value) == value


@pytest.mark.parametrize(
    ("value", "is_error"),
    [
        ({"code": "token_not_valid"}, False),
        ({"code": "INVALID_CREDENTIALS"}, False),
        ({"code": 1001}, True),
        ({"password": ["This field is required."]}, False),
        ({"errors": {"password": ["Too short"], "token": "Invalid token"}}, True),
        ({"password": [{"message": "Too short", "code": "too_short"}]}, True),
        ({"password": "Dieses Feld ist zwingend erforderlich."}, False),
    ],
    ids=str,
)
def test_an_answer_may_say_what_is_wrong(value, is_error):
    rules = get_redactor(is_authentication=True, is_response=True, is_error=is_error)
    assert rules.mask_data(value) == value
    assert not rules.known_secrets


@pytest.mark.parametrize(
    "value",
    [
        {"key": TOKEN},
        {"codes": ["abcd-efgh", "ijkl-mnop"]},
        {"codes": [12345678]},
        {"password": "correct horse battery staple"},
        {"password": "hunter2"},
        {"token": "Zebra77Tulip"},
        {"code": "NWLZ-PXTL"},
    ],
    ids=str,
)
def test_an_answer_shows_no_secret(value):
    (name,) = value
    rules = get_redactor(is_authentication=True, is_response=True)
    assert rules.mask_data(value) == {name: MASK}


SVG, PNG = "<svg xmlns='x'></svg>", "data:image/png;base64,iVBORw0KGgo"


@pytest.mark.parametrize("name", ["qr", "svg", "image", "qrCodeUrl", "uri", "img", "data"])
@pytest.mark.parametrize("picture", [SVG, PNG])
def test_an_answer_shows_no_picture_of_a_key(name, picture):
    rules = get_redactor(is_authentication=True, is_response=True)
    assert rules.mask_data({"a": {name: picture}}) == {"a": {name: MASK}}
    assert get_redactor(is_response=True).mask_data({name: picture})[name].startswith(picture[:4])


@pytest.mark.parametrize("name", ["base32", "manual", "secret32", "a"])
@pytest.mark.parametrize("key", ["JBSWY3DPEHPK3PXP", "JBSW Y3DP EHPK 3PXP"])
def test_an_answer_shows_no_key_of_a_second_factor(name, key):
    assert get_redactor(is_authentication=True, is_response=True).mask_data({name: key}) == {
        name: MASK
    }


def test_what_looks_random_is_masked_where_it_is_about_authentication():
    value = {"refresh": TOKEN, "a": {"t": TOKEN}, "id": TOKEN, "next": f"/a/{TOKEN[:20]}/"}
    masked = {**value, "refresh": MASK, "a": {"t": MASK}}
    assert get_redactor(is_authentication=True).mask_data(value) == masked
    assert get_redactor().mask_data(value) == {**value, "refresh": MASK}


@pytest.mark.parametrize("value", [TOKEN, [TOKEN], {"results": [TOKEN]}, [[{"a": [TOKEN]}]]])
def test_a_token_needs_no_name_where_it_is_about_authentication(value):
    assert TOKEN not in json.dumps(get_redactor(is_authentication=True).mask_data(value))
    assert get_redactor().mask_data(value) == value


OPERATIONS = [
    {"query": 'mutation { verifyOtp(phone: "1", code: "CODE") { ok } }'},
    {"query": "mutation { a: signIn(code: CODE) { ok } }"},
    {"operationName": "ConfirmEmail", "query": "x", "variables": {"code": "CODE"}},
    {"query": "mutation ResetAccount($code: String!) { a }", "variables": {"code": "CODE"}},
    {"jsonrpc": "2.0", "method": "auth.verify", "params": {"code": "CODE"}},
    {"action": "verify_otp", "code": "CODE"},
    [{"operationName": "VerifyOtp", "variables": {"code": "CODE"}}],
]


@pytest.mark.parametrize("value", OPERATIONS, ids=str)
def test_a_code_is_a_secret_where_the_operation_says_so(value):
    value = json.loads(json.dumps(value).replace("CODE", "4829"))
    assert "4829" not in json.dumps(get_redactor().mask_data(value))
    rules = get_redactor()
    rules.remember_secrets(value)
    assert "4829" not in rules.known_secrets.mask("it was 4829")


@pytest.mark.parametrize(
    "value",
    [
        {"query": '{ products(code: "4829") { code token { symbol } } }'},
        {"operationName": "ListProducts", "variables": {"code": "4829"}},
        {"action": "ship", "method": "express", "code": "4829"},
        {"query": "verify {", "code": "4829"},
    ],
    ids=str,
)
def test_a_code_of_another_operation_is_none(value):
    assert get_redactor().mask_data(value) == value


@pytest.mark.parametrize(
    "text",
    """
    sign-in/ log_in/ two_factor:setup anmelden/ passwordreset/ verifyemail/ userlogin
    newsletter/opt-in/ oauth/callback/ forgot/ teams/join/ resetpassword verifyPhone LogIn
    """.split(),  # noqa: SIM905 (a list to read)
)
def test_a_route_about_authentication_is_known(text):
    assert is_about_authentication(text)


@pytest.mark.parametrize(
    "text",
    """
    products/ blog/in-depth/ catalog/index sign/industry/ bloginfo verified-sellers/
    confirmed-orders/ design/ two/factories log/internal
    """.split(),  # noqa: SIM905 (a list to read)
)
def test_another_route_is_not(text):
    assert not is_about_authentication(text)


def test_the_code_in_an_address_of_an_answer_is_no_error():
    answer = {"redirect": "https://app.example/cb?code=swordfish&state=Zx81kQ"}
    masked = get_redactor(is_response=True, is_error=True).mask_data(answer)
    assert masked == {"redirect": "https://app.example/cb?code=REDACTED&state=Zx81kQ"}


def test_an_answer_may_have_other_pictures():
    value = {"avatar": PNG, "provider_logo": SVG, "text": "WELCOME", "name": "ALICE"}
    masked = get_redactor(is_authentication=True, is_response=True).mask_data(value)
    assert MASK not in masked.values()


@pytest.mark.parametrize("value", [{"key": TOKEN}, {"password": "hunter2"}, {"token": Z}], ids=str)
def test_no_error_shows_one_either(value):
    (name,) = value
    rules = get_redactor(is_authentication=True, is_response=True, is_error=True)
    assert rules.mask_data(value) == {name: MASK}


def test_what_is_masked_stays_as_it_was():
    value = {"password": "x", "list": [{"token": "y"}]}
    get_redactor().mask_data(value)
    assert value == {"password": "x", "list": [{"token": "y"}]}


TEXTS = {**{text: text for text in SPOKEN}, **{name: f"a {FORMS[name]} b" for name in FORMS}}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_masking_twice_is_masking_once(text):
    once = get_redactor().mask_text(text)
    assert get_redactor().mask_text(once) == once


def test_a_project_adds_patterns(configure):
    configure(REDACT_PATTERNS=[r"\bPL\d{4}\b"])
    assert get_redactor().mask_data(["id PL1234", "PL12345"]) == [f"id {MASK}", "PL12345"]


def test_a_pattern_of_a_project_is_looked_for_everywhere(configure):
    configure(REDACT_PATTERNS=[r"\b\d{9}\b", r"PL\d{4}", r"secret-host\.example"])
    rules = get_redactor()
    assert rules.mask_data({"a": 123456789, "PL1234": [123456789], "b": 12}) == {
        "a": MASK,
        MASK: [MASK],
        "b": 12,
    }
    assert rules.mask_header("Referer", "https://secret-host.example/x") == f"https://{MASK}/x"
    assert rules.mask_text("see https://secret-host.example/x") == f"see https://{MASK}/x"


# --- what was found --------------------------------------------------------------------------


def found_in(value):
    rules = get_redactor()
    rules.mask_data(value, may_be_quoted=True)
    return rules.known_secrets


@pytest.mark.parametrize(
    ("value", "text", "masked"),
    [
        ({"password": "correct horse"}, "the correct horse", f"the {MASK}"),
        ({"pin": "1234"}, "pin 1234, order 12345", f"pin {MASK}, order 12345"),
        ({"pin": 1234}, "1234 is wrong", f"{MASK} is wrong"),
        ({"pin": {"a": ["hunter2"], "b": {"c": 12345}}}, "hunter2 12345", f"{MASK} {MASK}"),
        ({"password": "pa's\"s"}, repr("pa's\"s"), f"'{MASK}'"),
        ({"password": "Käthe&Co"}, json.dumps("Käthe&Co"), f'"{MASK}"'),
        ({"password": "Käthe&Co"}, "K%C3%A4the%26Co", MASK),
        ({"password": "a<b>c"}, "a&lt;b&gt;c", MASK),
        ({"password": " padded "}, "it was padded", f"it was {MASK}"),
        ({"password": "x"}, "x marks the spot", "x marks the spot"),
        ({"password": "pa's\"s"}, json.dumps(json.dumps("pa's\"s")), json.dumps(json.dumps(MASK))),
        ({"password": "it's secret"}, "SELECT 'it''s secret'", f"SELECT '{MASK}'"),
        ({"password": "ab\0cd12345"}, "ab\ufffdcd12345", MASK),
        ({"otp": "048 2913"}, "0482913 482913", f"{MASK} {MASK}"),
        ({"otp": "0482913"}, "482913 is wrong", f"{MASK} is wrong"),
        ({"otp": "482913"}, {"n": [482913], "482913": 1}, {"n": [MASK], MASK: 1}),
    ],
)
def test_what_was_masked_is_masked_however_a_text_writes_it(value, text, masked):
    assert found_in(value).mask(text) == masked


def test_what_was_found_is_masked_in_data():
    assert found_in({"password": "correct horse"}).mask({"a": ["the correct horse"]}) == {
        "a": [f"the {MASK}"]
    }


def test_secrets_beyond_the_bounds_of_what_is_kept_are_found():
    value = {"rows": [{"n": n, "token": f"secret-{n:06}"} for n in range(900)]}
    found = found_in(value)
    assert found.is_complete
    assert found.mask("secret-000899") == MASK


@pytest.mark.parametrize(
    "value",
    [
        {f"token{n}": f"{n:010}" for n in range(1_500)},
        {"rows": list(range(60_000))},
        {"password": "x" * (MAX_TEXT + 100)},
        {"texts": ["x" * 9_000] * 200},
    ],
    ids=["secrets", "nodes", "a long secret", "characters"],
)
def test_a_flood_is_searched_within_bounds_and_said_to_be_incomplete(value):
    assert not found_in(value).is_complete


def test_nothing_that_was_found_masks_nothing():
    assert not KnownSecrets()
    assert KnownSecrets().mask("text") == "text"


def test_a_keyed_hash_is_stable_and_differs_by_purpose_and_key(settings):
    first = keyed_hash("x", "session")
    assert first == keyed_hash("x", "session")
    assert len({first, keyed_hash("x", "address"), keyed_hash("y", "session")}) == 3
    settings.SECRET_KEY = "another"
    assert keyed_hash("x", "session") != first


# --- what was drawn at random ----------------------------------------------------------------

HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    "alphabet", [HEX, HEX.upper(), "", "-_" + 4 * HEX], ids=["hex", "HEX", "base 62", "with signs"]
)
@pytest.mark.parametrize("length", [24, 32, 64])
def test_what_was_drawn_at_random_looks_so(alphabet, length):
    drawn = [get_random_string(length, alphabet or RANDOM) for _ in range(50)]
    assert [text for text in drawn if not looks_random(text)] == []


RANDOM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    "text",
    """
    my-long-article-title-about-things iphone15promax256gb-silver 2026-11-28-annual-report-v2
    donaudampfschifffahrtsgesellschaft COVID19-vaccination-2021-q3 SKU-12345-XL-BLACK-2024
    internationalization-i18n-l10n the_quick_brown_fox_jumps ISBN-978-3-16-148410-0
    018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e order-018f3b1c-7e2a-7c3d-9b4e-5f6a7b8c9d0e
    12345678901234567890
    getUserAccountByIdAndName v1.2.3-rc1-linux-amd64 aaaaaaaaaaaaaaaaaaaaaaaaaaaa short1
    """.split(),  # noqa: SIM905 (a list to read)
)
def test_what_people_write_does_not(text):
    assert not looks_random(text)


@pytest.mark.parametrize("text", ["Spring 2026", "morning", "17", "Yours, Käthe", "A. B. C"])
def test_words_read_like_words(text):
    assert reads_like_words(text)


@pytest.mark.parametrize("text", ["Bearer abc", "hunter2", TOKEN, "a" * 30, "x=1"])
def test_credentials_do_not(text):
    assert not reads_like_words(text)


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
    "begun signatures": "a:" * (MAX_TEXT // 2),
    "begun times": "aaaaaa:" * (MAX_TEXT // 7),
    "points": "a." * (MAX_TEXT // 2),
    "begun elements": "<password>" * (MAX_TEXT // 10),
    "attributes": "<a " * (MAX_TEXT // 3),
    "options": "--password " * (MAX_TEXT // 11),
    "words": "password: a " * (MAX_TEXT // 12),
    "backslashes": "pin" + chr(92) * MAX_TEXT,
    "escaped quotes": "pin='" + chr(92) * MAX_TEXT,
    "percent signs": "%25" * (MAX_TEXT // 3),
    "JSON in JSON": "[" * (MAX_TEXT // 2) + "]" * (MAX_TEXT // 2),
    "addresses": "/a?b=/c" * (MAX_TEXT // 7),
    "slashes": "/" * MAX_TEXT,
    "addresses and blanks": "/a " * (MAX_TEXT // 3),
    "codes": "your code " * (MAX_TEXT // 10),
    "begun rows": "key (" * (MAX_TEXT // 5),
    "begun entries": "duplicate entry '" * (MAX_TEXT // 17),
    "one-time": "one time " * (MAX_TEXT // 9),
    "cards": "4111 " * (MAX_TEXT // 5),
    "groups": "4111.1111." * (MAX_TEXT // 10),
    "at signs": "://a:" + "@" * MAX_TEXT,
    "inline": 'a:"' * (MAX_TEXT // 3),
    "weak names": ".key://value" * (MAX_TEXT // 12),
    "weak names of runs": "key=" * (MAX_TEXT // 4),
    "brackets": "pin=[" * (MAX_TEXT // 5),
    "calls": "pin=a(" * (MAX_TEXT // 6),
    "lists": "codes: a, " * (MAX_TEXT // 10),
    "secret runs": "pin=a&b" * (MAX_TEXT // 7),
    "triple quotes": "pin='''" * (MAX_TEXT // 7),
    "escaped quotes in quotes": 'pin=\\"' * (MAX_TEXT // 6),
    "entities": "pin=&quot;" * (MAX_TEXT // 10),
    "blocks": "pin: |\\n " * (MAX_TEXT // 8),
    "tuples": "('pin', " * (MAX_TEXT // 8),
    "spoken": "password is " * (MAX_TEXT // 12),
    "tags": "<a name=pin>" * (MAX_TEXT // 12),
    "CDATA": "<pin><![CDATA[" * (MAX_TEXT // 14),
    "forms": "a=1&" * (MAX_TEXT // 4),
    "users": "://a" * (MAX_TEXT // 4),
    "phrases": "your a code for b " * (MAX_TEXT // 18),
    "hashes": "md5$" * (MAX_TEXT // 4),
}


@pytest.mark.parametrize("text", ADVERSARIES.values(), ids=ADVERSARIES)
def test_no_text_makes_masking_wait(text):
    """A pattern that went back over it would take minutes, and this suite with it."""
    assert len(Sanitizer(text=get_redactor().mask_text)(text)) <= MAX_TEXT * 3


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 5000])
def test_what_is_cut_once_is_not_cut_again(length):
    once = truncate("x" * (length + 100), length)
    assert once == f"{'x' * length}… [100 more]"
    assert truncate(once, length) == once


def test_what_is_shortened_once_is_not_shortened_again():
    value = {"a": list(range(5000)), "b": "x" * 50_000}
    once = Sanitizer()(value)
    assert once["a"][-1] == "[3001 more]"
    assert Sanitizer()(once) == once


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


# --- whatever comes --------------------------------------------------------------------------

ODD = {
    "a lone surrogate": "\ud800",
    "a surrogate in an address": "see /\ud800%20?x#token=1",
    "a brace for a value": "password: {",
    "a brace behind an arrow": "pin=>{;",
    "a bracket for a value": "password=[",
    "nested fragments": "/a#-" * 260,
    "addresses in fragments": "=#http://a.b/" * 200,
    "quotes alone": "password='",
    "an encoded surrogate": "%ED%A0%80",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
@pytest.mark.parametrize("about", [False, True])
def test_odd_texts_are_no_reason_to_fail(text, about):
    rules = get_redactor(is_authentication=about)
    rules.mask_data({"token": text, "note": text, text: text, "name": text, "value": text})
    for mask in (rules.mask_text, rules.mask_url, rules.mask_path, rules.mask_query):
        assert isinstance(mask(text), str)
    assert isinstance(rules.known_secrets.mask(text), str)

"""Words and phrases in the names of fields, and how sensitive they make a value.

Collected from Django and its contrib apps, django-allauth, dj-rest-auth, simplejwt,
django-rest-knox, django-oauth-toolkit (RFC 6749, 7636, 8628), django-two-factor-auth, django-axes,
django-oscar and payment forms, SAML 2.0, CAS 3.0, django-sesame, and forms in other languages.
Words are in lower case and without accents.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split()) for phrase in text.split(","))


PASSWORDS = words("""
    passcode passphrase passw passwd password passwrd paswd pswd pswrd psw pw pword pwd
    adgangskode clave contrasena contrasenia contrasenya einmalpasswort geslo haslo hasło heslo
    jelszo kennwort kodeord losenord lozinka mdp motdepasse motpasse palavrapasse parola parole
    passwort paswort salasana salasona senha sifre slaptazodis wachtwoord κωδικος
    סיסמה 암호 パスワード 口令 密码 密碼 비밀번호 пароль
    bindpw dbpw loginpw newpw oldpw passhash pwhash rootpw userpw
""")
"""Words for a password."""

ALWAYS_WORDS = PASSWORDS | words("""
    aktivierungscode bestaetigungscode bestatigungscode ccno ccv cryptogramme csc cvc cvd cvn cvv
    einmalcode freischaltcode iban itan kartennummer kartenprufnummer mnemonic mtan otp pin psk puk
    sicherheitscode ssn totp zugangscode
""")
"""Words whose values are secret, even numbers. The last word of a name may be in the plural."""

ALWAYS_PHRASES = _phrases("""
    access code, activation code, auth code, authentication code, authorization code, backup
    code, card code, card number, card no, card num, cc number, cc num, confirm code,
    confirmation code, credit card, device code, invitation code, invite code, login code, mfa
    code, mot de passe, one time code, palavra passe, pass code, pass phrase, recovery code,
    recovery phrase, reset code, scratch code, security code, seed phrase, seed words, signin code,
    sms code, two factor code, unused code, verification code, verify code, account number,
    card verification, card security code, credit card number, door code, pairing code,
    secret answer, security answer, social security, tfa code, totp code, unlock code,
    verification value, account no, card security number, cc cid, cc no, code confidentiel, code de
    verification, codigo de seguridad, codigo de verificacion, codigo seguridad, codigo
    verificacion, cv number, emergency code, mot passe, numero carte, numero de carte, numero de
    tarjeta, numero tarjeta, rescue code, tan code, tan number
""")
"""The same for adjacent words."""

SECRET_WORDS = words("""
    assertion authorization bearer cookie credential creds csrf csrfmiddlewaretoken csrftoken jwt
    pat geheimnis hmac pgtid pgtiou samlart samlrequest samlresponse secret segreto sesame
    sessionid sid sig signature token xsrf zugangsdaten
""")
"""Words whose values are secret, except numbers, which are counts: `{"token": 2334}`."""

SECRET_PHRASES = _phrases("""
    access key, activation key, api key, auth hash, auth key, code verifier, confirmation key,
    deploy key, encryption key, invitation key, invite key, licence key, license key, login key,
    magic link, master key, private key, provisioning uri, qr code, qr svg, recovery key,
    registration key, reset key, reset link, saml art, saml request, saml response, secret key,
    security key, serial key, service key, session key, shared key, sign in link, signing key,
    ssh key, stream key, verification key, webhook key, pgt id, pgt iou, admin pass, confirm
    pass, current pass, database pass, db pass, email pass, ftp pass, http pass, login pass,
    mail pass, my pass, new pass, old pass, pass again, pass confirm, proxy pass, redis pass,
    repeat pass, root pass, smtp pass, user pass, verify pass, become pass, bind pass,
    keystore pass, truststore pass, activation link, invite link, kata sandi, login link,
    account key, aes key, cipher key,
    client key, consumer key, enc key, entry key, fernet key, hmac key, oauth verifier,
    otp auth, join key, preshared key, priv key, setup key, shared access key, vapid key,
    wallet key, activation hash, app key, application key, chiave segreta, cle api, confirm hash,
    confirm key, login verifier, method nonce, network key, pass conf, pass confirmation, payment
    nonce, private phrase, reset hash, ssl key, tls key, unsubscribe key, validation key,
    verification hash, verify key, wallet seed, wep key, wpa key
""")
"""The same for adjacent words."""

SECRET_PARTS = words("""
    apikey authorization credential passwd password secret sessid sessionid token
""")
"""A name that contains one of these anywhere is secret..."""

HARMLESS_WORDS = words("""
    passwordless secretariat secretaries secretary tokenization tokenize tokenized tokenizer
    tokenizers unauthorized
""")
"""... except for these words."""

HARMLESS_PHRASES = _phrases("""
    cookie consent, map pin, push pin, secret ballot, secret santa, season pass, top secret
""")

HARMLESS_PASS_WORDS = words("bypass compass encompass overpass pass surpass trespass underpass")
"""Words that end with "pass", but not for a password as in `userpass`."""

LIKELY_WORDS = words("auth session ticket")
"""Words whose values are secret unless they are words or numbers: `session: "Spring"`."""

IDENTIFYING = words("code cookie hash header key secret string token value")
"""Words that make a likely secret a certain one: `session_key`, `auth_token`."""

CONTEXTUAL_WORDS = words("code codigo hash key mfa refresh seed tan tfa")
"""Last words of names whose values are secret if random, or in the context of authentication."""

HARMLESS_BEFORE = {
    "code": words("""
        airport area bank bar bic branch brand category class color colour cost country county
        coupon course currency customer department dial dialing dialling discount district error
        exit fiscal fips hs hsn http iata icao icd iso item lang language line locale location
        mcc message mic model naics order part phone plu post postal postcode price product
        program project promo promotion reason region response result return room route sic sku
        sort source state station status store style subject swift tax tracking unit vat
        warehouse zip zone
    """),
    "hash": words("""
        asset blob block build chunk commit content document file git image info integrity media
        md merkle parent perceptual query row schema sha style template transaction tree tx
    """),
    "key": words("""
        arrow attribute business cache child column composite config content ctrl dict dimension
        field file foreign form function group hash hot i18n idempotency index issue item jira
        join json lookup map menu merge message meta natural object option order page parent
        partition primary project public query range react record row s setting shift short site
        sort storage surrogate tab table translation unique
    """),
    "signature": words("email mail"),
    "token": words("bos cls eos mask pad sep stop unk"),
    "tokens": words("""
        audio cached completion context input max output prompt reasoning remaining total used
    """),
}
"""Words before them that make a value harmless: `country_code`, `sort_key`."""

ABOUT = words("""
    age algorithm algorithms backend backends brand budget channel class color colour company
    count counts country created date days enabled endpoint expired expires expiry fee figs format
    hours index issuer label length level lifetime limit max maxage method methods min minutes mode
    name policy position provider remaining required rules samesite scheme score seconds sent size
    status strength style symbol ttl type types updated url usage used validator validators valid
    verified version
""")
"""Last words of metadata of a secret: `token_type`, `password_strength`..."""

ABOUT_PHRASES = _phrases("""
    changed at, created at, expires at, expires in, help text, issued at, per minute, reset at,
    sent to, to top, updated at, used at, valid until
""")
"""... or with one of these..."""

ABOUT_LIKELY = words("""
    category comment day description duration end group kind notes number owner price priority
    room source speaker start subject time title topic user
""")
"""The same for likely words: `session_title`, `ticket_price`."""

PRIMARY_KEY_WORDS = words("id ids pk")
"""Last words of the primary keys of secrets: `token_id`."""

QUESTION_WORDS = words("accepts can count has is max min num requires total")
"""... or its first words: `has_usable_password`, `max_tokens`."""

AUTHENTICATION = words("""
    2fa activate activation aktivieren anmelden anmeldung auth authenticate authentication
    authenticator authorise authorize authtoken bestaetigen callback cas confirm confirmation
    connexion contrasena einladung forgot inscription invitation invitations invite invites join
    jwt kennwort knox login logon magic mfa oauth oauth2 oidc onetime openid optin otp passcode
    passkey passkeys passwd password passwordless passwords passwort reauthenticate recover
    recovery register registrieren registrierung reset saml saml2 sesame signin signup sso token
    tokens totp twofactor unlock unsubscribe verification verify webauthn
""")
"""Words of routes, paths and actions that are about authentication."""

OAUTH_PARAMETERS = _phrases("""
    assertion, client assertion, grant type, mfa, otp, redirect uri, response mode, response type,
    totp, verifier
""")
"""Parameters of OAuth 2.0 and second factors: a `code` next to one is secret."""

UNSPECIFIC_WORDS = words("""
    assertion authenticity bearer card ccv cookie cookies csc csrf csrfmiddlewaretoken csrftoken
    cvc cvn cvv iban number requestverificationtoken sid signature ssn verification xsrf
""")
"""Words of secrets that may be in any form, and so say nothing about a `code` in it."""

METHOD_WORDS = words("channel device factor method type via")
"""Last words of names for the method of a second factor."""

REPEAT_WORDS = words("again confirm confirmation reenter repeat repeated retype retyped verify")
"""Names of the second field for a password."""

PICTURES = words("avatar background banner icon logo photo picture thumbnail")
"""Words for pictures that are not QR codes."""

ACCOUNT_NAMES = words("email login mail mobile phone user username")
"""Words for an account: digits next to one are a one-time code."""

SECOND_FACTORS = words("2fa app authenticator backup email mfa otp recovery sms totp u2f webauthn")
"""Values for the method of a second factor: `{"method": "totp", "code": ...}`."""

LOGIN_NAMES = (
    *("username", "email", "login", "user", "mail", "account", "identifier", "benutzer"),
    *("benutzername", "identifiant", "loginid", "loginname", "mobile", "nickname", "phone"),
    *("principal", "uid", "userid", "usuario", "utilisateur"),
)
"""First or last words of fields for the name of an account, the most certain first."""

LOGIN_SECRETS = words("credential credentials passe pin secret")
"""Further names of the password in login forms."""

NOT_ACCOUNT_NAMES = words("agent group language locale role subject timezone type")
"""Last words of other fields: `user_agent`."""

NAMES_OF_FIELDS = words("""
    columns exclude excluded fields filters groups include keys methods names only order ordering
    permissions required scope scopes select sort tags
""")
"""Last words of lists of names, in which no item is the value of another one."""

REMARKS = words("""
    a above an below denied empty expired he invalid it missing n/a optional pending required
    revoked see she that the they this to unknown we wrong you
""")
"""Words in place of a secret: "token: expired", "token: the smallest unit"."""

GUIDANCE = words("forgotten must oublié please see should siehe vergessen voir")
"""First words in place of a password: "password: see the manual"."""

COMMON_FIELD_NAMES = words("email mail name user username")
"""The most frequent names next to the name of a secret."""

IDENTIFIER_WORDS = words("""
    commit date day digest id ids month name number object pk pks ref rev revision sha slug
    slugs uid uidb36 uidb64 uuid uuids version week year
""")
"""Last words of identifiers, which are no secrets even if they look random."""

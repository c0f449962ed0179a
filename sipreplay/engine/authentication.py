"""[authentication] and <verifyauth>: which challenge, whose credentials, which uri.

The digest itself is `sip.digest`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipreplay.engine.call import Call
from sipreplay.engine.endpoint import bracketed
from sipreplay.engine.failure import CallFailed
from sipreplay.engine.headers import body_of, header_values
from sipreplay.engine.steps import Template
from sipreplay.sip import aka, digest
from sipreplay.sip.syntax import SipSyntaxError

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

DEFAULT_PASSWORD = b"password"


def credentials(
    engine: Engine, call: Call, arguments: tuple[Template | None, ...], message: bytes, now: float
) -> bytes:
    """The whole header line, without its line end, for the challenge that a `<recv auth="true">` kept.

    `message` is what is about to be sent, with something else in that line. Raises CallFailed without a challenge, or
    for one that cannot be answered.
    """
    from sipreplay.engine.render import render

    more = call.more
    if more is None or not more.challenge:
        raise CallFailed("", '[authentication] without a challenge: no 401 or 407 was taken by a <recv auth="true">')
    name = b"Authorization" if more.challenge_code == 401 else b"Proxy-Authorization"
    config = engine.config
    username, password, *aka_keys = (render(engine, call, text, now) if text is not None else b"" for text in arguments)
    username = username or (config.auth_user or config.service).encode("utf-8", "surrogateescape")
    password = password or config.auth_password.encode("utf-8", "surrogateescape") or DEFAULT_PASSWORD
    more.nonce_count += 1
    method, _, rest = message.partition(b" ")
    if config.digest_uri == "request":
        uri = rest.partition(b" ")[0].decode("utf-8", "surrogateescape")
    elif config.auth_uri:
        uri = f"sip:{config.auth_uri}"
    else:
        uri = f"sip:{bracketed(engine.endpoint.remote_ip)}:{engine.endpoint.remote_port}"
    try:
        challenge = _challenge(more.challenge)
        if aka.is_aka(challenge.algorithm):
            operator, management, key = aka_keys
            password = aka.password(challenge.nonce, key or password, operator, management)
        value = digest.authorization(
            challenge,
            username=username.decode("utf-8", "surrogateescape"),
            password=password,
            method=method.decode("utf-8", "surrogateescape"),
            uri=uri,
            cnonce=f"{engine.random.getrandbits(31):x}",
            nonce_count=more.nonce_count,
            body=body_of(message),
        )
    except SipSyntaxError as error:
        raise CallFailed("", f"the challenge cannot be answered: {error}") from None
    return name + b": " + value.encode("utf-8", "surrogateescape")


def _challenge(message: bytes) -> digest.Challenge:
    """The first challenge whose algorithm is known: Proxy-Authenticate, else WWW-Authenticate."""
    values = header_values(message, b"Proxy-Authenticate") or header_values(message, b"WWW-Authenticate")
    problem = SipSyntaxError("no challenge")
    for value in values:
        try:
            challenge = digest.parse_challenge(value.decode("utf-8", "surrogateescape"))
            digest.response(
                algorithm=challenge.algorithm, username="", realm="", password="", nonce="", method="", uri=""
            )
        except SipSyntaxError as error:
            problem = error
        else:
            return challenge
    raise problem


def verify(message: bytes, username: bytes, password: bytes) -> bool:
    """Whether an Authorization of a request is that user's; for AKA the password is the RES that is expected.

    The freshness of the nonce is not looked at, as in SIPp.
    """
    method = message.partition(b" ")[0].decode("utf-8", "surrogateescape")
    name = username.decode("utf-8", "surrogateescape")
    for value in header_values(message, b"Authorization"):
        try:
            given = digest.parse_credentials(value.decode("utf-8", "surrogateescape"))
        except SipSyntaxError:
            continue
        if digest.verify(given, username=name, password=password, method=method, body=body_of(message)):
            return True
    return False

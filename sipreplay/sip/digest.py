"""Digest authentication (RFC 2617, 7616, 8760): challenges, responses, and their verification.

MD5, SHA-256, SHA-512-256 and AKAv1-MD5, each also as -sess; qop auth and auth-int, or none. The layout is SIPp's, byte
for byte. Never invents a cnonce or counts nonces: the caller does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from sipreplay.sip.syntax import SipSyntaxError, quote, split_list, unquote

_HASHES: dict[str, Callable[[bytes], str]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
    # The password of AKA is RES (RFC 3310), which `aka` makes; the digest is that of MD5.
    "akav1-md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}
_SCHEME = re.compile(r"\s*([A-Za-z][\w\-]*)\s+(?=[\w\-]+\s*=)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 or 407 asks for. Texts are without their quotes."""

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str = ""
    """As written; "" when absent, which means MD5."""
    qop: tuple[str, ...] = ()
    """Offered, in lower case and in order; empty for RFC 2069 style."""
    stale: bool = False

    @property
    def protection(self) -> str:
        """The qop a client answers with: auth-int wins if offered (SIPp's choice), else auth, else none."""
        return "auth-int" if "auth-int" in self.qop else "auth" if "auth" in self.qop else ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an Authorization or Proxy-Authorization header says. Texts are without their quotes."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = ""
    cnonce: str = ""
    nonce_count: str = ""
    """Eight hexadecimal digits, as written."""
    qop: str = ""
    opaque: str | None = None


def _parameters(value: str) -> dict[str, str]:
    """name=value pairs between commas, names in lower case, unquoted; the first of equal names wins.

    Of several challenges in one text the first wins whole where it says something, as in SIPp.
    """
    match = _SCHEME.match(value)
    if match is None or match.group(1).lower() != "digest":
        raise SipSyntaxError(f"not a Digest header: {value[:40]!r}")
    found: dict[str, str] = {}
    for part in split_list(value[match.end() :]):
        name, equals, text = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), unquote(text))
    return found


def parse_challenge(value: str) -> Challenge:
    """Read a WWW-Authenticate or Proxy-Authenticate value. Raises SipSyntaxError when it is no Digest with a nonce."""
    found = _parameters(value)
    if "nonce" not in found:
        raise SipSyntaxError("a Digest challenge without a nonce")
    qop = tuple(word.strip().lower() for word in found.get("qop", "").split(",") if word.strip())
    return Challenge(
        realm=found.get("realm", ""),
        nonce=found["nonce"],
        opaque=found.get("opaque"),
        algorithm=found.get("algorithm", ""),
        qop=qop,
        stale=found.get("stale", "").lower() == "true",
    )


def parse_credentials(value: str) -> Credentials:
    """Read an Authorization or Proxy-Authorization value. Raises SipSyntaxError."""
    found = _parameters(value)
    missing = [name for name in ("username", "nonce", "uri", "response") if name not in found]
    if missing:
        raise SipSyntaxError(f"Digest credentials without {', '.join(missing)}")
    return Credentials(
        username=found["username"],
        realm=found.get("realm", ""),
        nonce=found["nonce"],
        uri=found["uri"],
        response=found["response"],
        algorithm=found.get("algorithm", ""),
        cnonce=found.get("cnonce", ""),
        nonce_count=found.get("nc", ""),
        qop=found.get("qop", "").lower(),
        opaque=found.get("opaque"),
    )


def _hash_of(algorithm: str) -> tuple[Callable[[bytes], str], bool]:
    """(hash function, whether -sess). Raises SipSyntaxError for an algorithm that is not known."""
    name = algorithm.strip().lower() or "md5"
    base = name.removesuffix("-sess")
    if base not in _HASHES:
        raise SipSyntaxError(
            f"digest algorithm {algorithm!r} is not supported: MD5, SHA-256, SHA-512-256 and AKAv1-MD5 are"
        )
    return _HASHES[base], base != name


def response(
    *,
    algorithm: str,
    username: str,
    realm: str,
    password: str | bytes,
    nonce: str,
    method: str,
    uri: str,
    qop: str = "",
    cnonce: str = "",
    nonce_count: str = "00000001",
    body: bytes = b"",
) -> str:
    """The response in lower-case hexadecimal (RFC 7616 3.4.1); `body` counts for auth-int only.

    Raises SipSyntaxError for an algorithm that is not known.
    """
    digest, session = _hash_of(algorithm)

    def data(text: str) -> bytes:
        return text.encode("utf-8", "surrogateescape")

    secret = password if isinstance(password, bytes) else data(password)
    first = digest(data(f"{username}:{realm}:") + secret)
    if session:
        first = digest(data(f"{first}:{nonce}:{cnonce}"))
    request = f"{method}:{uri}"
    if qop == "auth-int":
        request += f":{digest(body)}"
    second = digest(data(request))
    middle = f"{nonce}:{nonce_count}:{cnonce}:{qop}" if qop else nonce
    return digest(data(f"{first}:{middle}:{second}"))


def authorization(
    challenge: Challenge,
    *,
    username: str,
    password: str | bytes,
    method: str,
    uri: str,
    cnonce: str = "",
    nonce_count: int = 1,
    body: bytes = b"",
) -> str:
    """The value of the header that answers a challenge, in SIPp's order and spacing.

    `Digest username="U",realm="R"[,cnonce="c",nc=00000001,qop=auth],uri="...",nonce="N",response="H",algorithm=A` and
    `[,opaque="O"]`. Raises SipSyntaxError for an algorithm that is not known.
    """
    qop = challenge.protection
    count = f"{nonce_count:08x}"
    digest = response(
        algorithm=challenge.algorithm,
        username=username,
        realm=challenge.realm,
        password=password,
        nonce=challenge.nonce,
        method=method,
        uri=uri,
        qop=qop,
        cnonce=cnonce,
        nonce_count=count,
        body=body,
    )
    protection = f",cnonce={quote(cnonce)},nc={count},qop={qop}" if qop else ""
    if not qop and challenge.algorithm.lower().endswith("-sess"):
        protection = f",cnonce={quote(cnonce)}"  # which the server cannot do without (RFC 7616 3.4.2)
    opaque = f",opaque={quote(challenge.opaque)}" if challenge.opaque is not None else ""
    return (
        f"Digest username={quote(username)},realm={quote(challenge.realm)}{protection},uri={quote(uri)}"
        f",nonce={quote(challenge.nonce)},response={quote(digest)},algorithm={challenge.algorithm or 'MD5'}{opaque}"
    )


def verify(credentials: Credentials, *, username: str, password: str | bytes, method: str, body: bytes = b"") -> bool:
    """Whether credentials are those of this user for this request. False for an algorithm that is not known."""
    if credentials.username != username:
        return False
    try:
        expected = response(
            algorithm=credentials.algorithm,
            username=username,
            realm=credentials.realm,
            password=password,
            nonce=credentials.nonce,
            method=method,
            uri=credentials.uri,
            qop=credentials.qop,
            cnonce=credentials.cnonce,
            nonce_count=credentials.nonce_count,
            body=body,
        )
    except SipSyntaxError:
        return False
    return hmac.compare_digest(expected.encode(), credentials.response.lower().encode("utf-8", "surrogateescape"))

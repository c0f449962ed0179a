"""A real TLS conversation, of Python's ssl with itself, in memory: what each side sent, and the key log.

Run as a program (`python tls_talk.py`, options as JSON on standard input) where OpenSSL has to be configured by file.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import ssl
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

CLIENT, SERVER = 0, 1
_NO_ENCRYPT_THEN_MAC = 1 << 19


@dataclass
class Talk:
    """Who sent what, in order."""

    flights: list[tuple[int, bytes]] = field(default_factory=list)
    keylog: bytes = b""
    cipher: str = ""
    resumed: bool = False


def certificate(folder: Path, kind: str = "rsa") -> Path:
    """A self-signed certificate and its key in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    path = folder / f"{kind}.pem"
    if path.exists():
        return path
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sip.example.com")])
    now = datetime.datetime(2024, 1, 1)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


def contexts(
    folder: Path, version: str = "1.2", ciphers: str = "", etm: bool = True, kind: str = "rsa"
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's and a server's context that agree on nothing else."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    server.load_cert_chain(certificate(folder, kind))
    number = {
        "1.0": ssl.TLSVersion.TLSv1,
        "1.1": ssl.TLSVersion.TLSv1_1,
        "1.2": ssl.TLSVersion.TLSv1_2,
        "1.3": ssl.TLSVersion.TLSv1_3,
    }[version]
    for context in (client, server):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = number
        if ciphers:
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
        if not etm:
            context.options |= _NO_ENCRYPT_THEN_MAC
    client.keylog_filename = str(folder / "keys.log")
    return client, server


def talk(
    pair: tuple[ssl.SSLContext, ssl.SSLContext],
    said: list[tuple[int, bytes]],
    session: ssl.SSLSession | None = None,
) -> tuple[Talk, ssl.SSLSession | None]:
    """A handshake, then `said` by turns, then an orderly end."""
    keylog = Path(str(pair[0].keylog_filename))
    before = keylog.stat().st_size if keylog.exists() else 0
    held = Talk()
    pipes = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
    ends = [
        pair[CLIENT].wrap_bio(*pipes[CLIENT], server_hostname="sip.example.com", session=session),
        pair[SERVER].wrap_bio(*pipes[SERVER], server_side=True),
    ]

    def move(who: int) -> None:
        data = pipes[who][1].read()
        if data:
            held.flights.append((who, data))
            pipes[1 - who][0].write(data)

    done = [False, False]
    while not all(done):
        for who in (CLIENT, SERVER):
            if not done[who]:
                try:
                    ends[who].do_handshake()
                    done[who] = True
                except ssl.SSLWantReadError:
                    pass
            move(who)
    for who, text in said:
        ends[who].write(text)
        move(who)
        got = b""
        while len(got) < len(text):
            got += ends[1 - who].read(1 << 20)
    for who in (CLIENT, SERVER):
        with contextlib.suppress(ssl.SSLWantReadError):
            ends[who].unwrap()
        move(who)
    held.keylog = keylog.read_bytes()[before:]
    cipher = ends[CLIENT].cipher()
    held.cipher = cipher[0] if cipher else ""
    held.resumed = bool(ends[CLIENT].session_reused)
    return held, ends[CLIENT].session


def talk_configured(folder: Path, suite: str, said: list[tuple[int, bytes]]) -> Talk:
    """The same in TLS 1.3 with one cipher suite, which only OpenSSL's configuration file can choose."""
    config = folder / "openssl.cnf"
    config.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n" + f"Ciphersuites = {suite}\n"
    )
    options = {"folder": str(folder), "said": [(who, text.hex()) for who, text in said]}
    certificate(folder)
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"OPENSSL_CONF": str(config), "PATH": "/usr/bin:/bin"},
    )
    found = json.loads(done.stdout)
    flights = [(who, bytes.fromhex(data)) for who, data in found["flights"]]
    return Talk(flights, found["keylog"].encode(), found["cipher"])


def main() -> None:
    options = json.load(sys.stdin)
    said = [(who, bytes.fromhex(text)) for who, text in options["said"]]
    with tempfile.TemporaryDirectory(dir=options["folder"]) as fresh:
        (Path(fresh) / "rsa.pem").write_bytes((Path(options["folder"]) / "rsa.pem").read_bytes())
        held, _ = talk(contexts(Path(fresh), "1.3"), said)
    flights = [(who, data.hex()) for who, data in held.flights]
    json.dump({"flights": flights, "keylog": held.keylog.decode(), "cipher": held.cipher}, sys.stdout)


if __name__ == "__main__":
    main()

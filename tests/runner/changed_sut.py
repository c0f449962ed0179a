"""A system under test that answers calls over UDP, with one planted change for each called user."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time

PLANTED: dict[str, tuple[str, str]] = {
    "same": ("", ""),
    "lost_route": ("header", "Record-Route"),
    "dropped_allow": ("header", "Allow"),
    "changed_allow": ("header", "without update"),
    "added_header": ("header", "X-Debug was added"),
    "dropped_own": ("header", "X-Trunk is missing"),
    "busy_here": ("status", "480 instead of 486"),
    "refused": ("status", "603 instead of 200"),
    "other_ring": ("status", "183 instead of 180"),
    "extra_ring": ("extra", "180 to INVITE"),
    "no_ring": ("missing", "180 to INVITE"),
    "wrong_codec": ("sdp", "PCMA/8000 instead of PCMU/8000"),
    "wrong_direction": ("sdp", "sendonly instead of sendrecv"),
    "wrong_ptime": ("sdp", "ptime=40 instead of ptime=20"),
    "one_way": ("media", "no audio from the callee's side"),
    "media_codec": ("media", "is PCMA instead of PCMU"),
    "lossy": ("media", "% lost"),
    "slow": ("time", "post-dial delay"),
    "hangs_up": ("extra", "BYE of the callee's side"),
    "bye_refused": ("status", "481 instead of 200"),
}
"""Called user: (kind of the first difference, words in it)."""
REFUSED_ALREADY = "busy_here"
"""The one user who is busy in the capture too."""


class ChangedSut:
    """Answers on a port of 127.0.0.1; `changed` False: all users as in the capture."""

    def __init__(self, changed: bool) -> None:
        self.changed = changed
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._stop = False
        self._seen: set[tuple[str, str]] = set()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def __enter__(self) -> ChangedSut:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stop:
            try:
                data, address = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            text = data.decode()
            method = text.split(" ", 1)[0]
            key = (method, _header(text, "Via"))
            if key in self._seen or method not in ("INVITE", "ACK", "BYE"):
                continue
            self._seen.add(key)
            thread = threading.Thread(target=getattr(self, f"_{method.lower()}"), args=(text, address), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _what(self, text: str) -> str:
        found = re.search(r"sip:(\w+)@", _header(text, "To"))
        user = found[1] if found else ""
        return user if self.changed else "" if user != REFUSED_ALREADY else "busy"

    def _reply(self, text: str, address: tuple[str, int], status: str, *lines: str, body: str = "") -> None:
        names = ("Via", "From", "Call-ID", "CSeq")
        head = [f"SIP/2.0 {status}", *(f"{name}: {_header(text, name)}" for name in names)]
        tag = "" if ";tag=" in _header(text, "To") else ";tag=callee"
        head += [f"To: {_header(text, 'To')}{tag}", *lines, f"Content-Length: {len(body)}", "", body]
        self._socket.sendto("\r\n".join(head).encode(), address)

    def _invite(self, text: str, address: tuple[str, int]) -> None:
        what = self._what(text)
        contact = f"Contact: <sip:callee@127.0.0.1:{self.port}>"
        route = [] if what == "lost_route" else [f"Record-Route: <sip:127.0.0.1:{self.port};lr>"]
        allow = {"dropped_allow": [], "changed_allow": ["Allow: INVITE, ACK, BYE"]}.get(what)
        allow = ["Allow: INVITE, ACK, BYE, UPDATE"] if allow is None else allow
        own = ([] if what == "dropped_own" else ["X-Trunk: 7"]) + (["X-Debug: 1"] if what == "added_header" else [])
        if what == "slow":
            time.sleep(3.0)
        if what in ("busy", "busy_here"):
            self._reply(text, address, "486 Busy Here" if what == "busy" else "480 Unavailable", contact)
            return
        if what != "no_ring":
            self._reply(text, address, "183 Progress" if what == "other_ring" else "180 Ringing", contact, *route)
        if what == "extra_ring":
            self._reply(text, address, "180 Ringing", contact, *route, "X-Second: 1")
        time.sleep(0.1)
        if what == "refused":
            self._reply(text, address, "603 Decline", contact)
            return
        codec = "8 PCMA" if what == "wrong_codec" else "0 PCMU"
        direction = "sendonly" if what == "wrong_direction" else "sendrecv"
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio 49000 RTP/AVP {codec[0]}\r\na=rtpmap:{codec}/8000\r\na={direction}\r\n"
            f"a=ptime:{40 if what == 'wrong_ptime' else 20}\r\n"
        )
        lines = [contact, *route, *allow, *own, "Content-Type: application/sdp"]
        self._reply(text, address, "200 OK", *lines, body=body)
        media = re.search(r"m=audio (\d+)", text)
        if media and what != "one_way":
            kind = 8 if what in ("wrong_codec", "media_codec") else 0
            self._talk(("127.0.0.1", int(media[1])), kind, lossy=what == "lossy")
        if what == "hangs_up":
            self._hang_up(text, address)

    def _talk(self, address: tuple[str, int], kind: int, *, lossy: bool) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            for number in range(40):
                if not (lossy and number % 4 == 3):
                    head = struct.pack("!BBHII", 0x80, kind, number, number * 160, 0x1234 + sender.getsockname()[1])
                    sender.sendto(head + b"\xd5" * 160, address)
                time.sleep(0.02)

    def _hang_up(self, text: str, address: tuple[str, int]) -> None:
        target = re.search(r"<(sip:[^>]+)>", _header(text, "Contact"))
        assert target
        lines = [
            f"BYE {target[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK-bye-{time.time_ns()}",
            f"From: {_header(text, 'To')};tag=callee",
            f"To: {_header(text, 'From')}",
            f"Call-ID: {_header(text, 'Call-ID')}",
            "CSeq: 77 BYE",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        self._socket.sendto("\r\n".join([*lines, "", ""]).encode(), address)

    def _ack(self, text: str, address: tuple[str, int]) -> None:
        """Nothing to do."""

    def _bye(self, text: str, address: tuple[str, int]) -> None:
        self._reply(text, address, "481 Unknown" if self._what(text) == "bye_refused" else "200 OK")


def _header(text: str, name: str) -> str:
    found = re.search(rf"(?mi)^{name}: *(.*?)\r?$", text)
    return found[1] if found else ""

"""The `ereg` and `assignstr` actions that carry live values from one message to a later one. Only their texts."""

from __future__ import annotations

from sipreplay.scenario.model import Action, AssignStr, Ereg, Lookup

CALLEE = "callee"
ROW = "row"


def header_value(names: str, variable: str) -> Ereg:
    """The value of the first header of those names (an alternation, long form first)."""
    return Ereg(f"\r\n({names})[ \t]*:[ \t]*([^\r\n]*)", ("_", "_", variable))


def saved_headers(prefix: str, wanted: set[str]) -> list[Action]:
    """Those of `via`, `routes`, `from`, `to`, `cseq` that are wanted, into `PREFIX_via` and so on.

    Via and Record-Route may stand on several lines: the whole run of lines is taken, with the line end before it.
    """
    table: dict[str, Ereg] = {
        "via": Ereg("(\r\n(Via|v)[ \t]*:[^\r\n]*)+", (f"{prefix}_via",)),
        "routes": Ereg("(\r\nRecord-Route[ \t]*:[^\r\n]*)+", (f"{prefix}_routes",)),
        "from": header_value("From|f", f"{prefix}_from"),
        "to": header_value("To|t", f"{prefix}_to"),
        "cseq": header_value("CSeq", f"{prefix}_cseq"),
    }
    return [action for name, action in table.items() if name in wanted]


def request_user(variable: str = CALLEE) -> Ereg:
    """The user part of the Request-URI."""
    return Ereg("^[A-Za-z]+ (sips?:|tel:)([^@; ]*)", ("_", "_", variable))


def sent_cseq(variable: str) -> Ereg:
    """The CSeq number of the request just sent."""
    return Ereg("[0-9]+", (variable,), search_in="hdr", header="CSeq:")


def live_payload(variable: str, captured: int, codec: str) -> list[Action]:
    """The number that the live offer gives a codec (`name/clock`); the captured one if it has none."""
    return [
        AssignStr(variable, str(captured)),
        Ereg(f"rtpmap:([0-9]+)[ \t]+{codec.replace('.', '[.]')}", ("_", variable)),
    ]


def rtcp_port(variable: str, offset: int) -> list[Action]:
    """An RTCP port. SIPp gives its media port only beside the word audio, video or image, so one is put there first."""
    port = f"[auto_media_port+{offset}]" if offset else "[auto_media_port]"
    return [
        AssignStr(variable, f"\nimage {port}"),
        Ereg("[0-9]+", (variable,), search_in="var", variable=variable),
    ]


def line_of_call(file: str) -> Lookup:
    """The line of the injection file whose key is the called user (docs/learning.md: by number, never by order)."""
    return Lookup(ROW, file, f"[${CALLEE}]")

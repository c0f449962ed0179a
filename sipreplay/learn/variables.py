"""The `ereg` and `assignstr` actions that carry live values from one message to a later one. Only their texts."""

from __future__ import annotations

from sipreplay.scenario.model import Action, AssignStr, Ereg, Lookup, SetDest

CALLEE = "callee"
ROW = "row"
CONTACT = "contact"


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


def contact_address() -> list[Action]:
    """Host and port of the live Contact, into two variables: the port 5060 if it has none, IPv6 without brackets.

    First the whole value, then the URI out of its angle brackets (a quoted display name may hold brackets, too); a
    value without them is the URI. An `ereg` that does not match leaves its variables as they are.
    """
    name = "[Cc][Oo][Nn][Tt][Aa][Cc][Tt]|[Mm]"
    in_brackets = r'^("([^"\\]|\\.)*"|[^"<])*<([^>]*)>'
    host = r"(\[([0-9A-Fa-f:.]+)\]|([^]:;>?/, []+))"
    return [
        header_value(name, CONTACT),
        Ereg(in_brackets, ("_", "_", "_", CONTACT), search_in="var", variable=CONTACT),
        AssignStr(f"{CONTACT}_port", "5060"),
        Ereg(
            f"^[Ss][Ii][Pp][Ss]?:([^@]*@)?{host}(:([0-9]+))?",
            ("_", "_", "_", f"{CONTACT}_host", f"{CONTACT}_host", "_", f"{CONTACT}_port"),
            search_in="var",
            variable=CONTACT,
        ),
    ]


def to_contact() -> SetDest:
    """From here on the call's peer is the address that `contact_address` read."""
    return SetDest(f"[${CONTACT}_host]", f"[${CONTACT}_port]", "[transport]")


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

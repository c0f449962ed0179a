"""The real programs that interop tests talk to, in one import: sipp, kamailio, baresip, tcpdump, tshark."""

from __future__ import annotations

from tests.interop.baresip import Baresip, CallResult
from tests.interop.kamailio import kamailio
from tests.interop.ladder import Ladder, Row, Stream, tshark_count, tshark_ladders, tshark_sequences, tshark_streams
from tests.interop.process import Finished, Program, free_port, in_namespace, is_bound, loopback_addresses, wait_until
from tests.interop.recorder import recording
from tests.interop.sipp import sipp_uac, sipp_uas

PROGRAMS = ("sipp", "tshark", "tcpdump", "kamailio", "baresip")

__all__ = [
    "PROGRAMS",
    "Baresip",
    "CallResult",
    "Finished",
    "Ladder",
    "Program",
    "Row",
    "Stream",
    "free_port",
    "in_namespace",
    "is_bound",
    "kamailio",
    "loopback_addresses",
    "recording",
    "sipp_uac",
    "sipp_uas",
    "tshark_count",
    "tshark_ladders",
    "tshark_sequences",
    "tshark_streams",
    "wait_until",
]

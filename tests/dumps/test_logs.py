from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sipreplay.dumps.logs import ErrorLog, MessageLog
from sipreplay.dumps.names import trace_name


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()


def test_messages_are_logged_with_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.log"
    with MessageLog(path) as log:
        log.sent(b"INVITE a SIP/2.0\r\n\r\n", 1795405063.80859)
        log.received(b"SIP/2.0 200 OK\r\n\r\n\xff", 1795405064, "TCP")
    rule = b"-" * 47
    assert path.read_bytes() == (
        rule
        + b" 2026-11-23T03:37:43.808590Z\nUDP message sent [20] bytes:\n\nINVITE a SIP/2.0\r\n\r\n\n"
        + rule
        + b" 2026-11-23T03:37:44.000000Z\nTCP message received [19] bytes:\n\nSIP/2.0 200 OK\r\n\r\n\xff\n"
    )


def test_the_error_file_begins_with_its_first_error(tmp_path: Path) -> None:
    path = tmp_path / "e.log"
    log = ErrorLog(path)
    assert not path.exists()
    log.write("Aborting call\nover two lines", 1795405063.5)
    log.write("again", 1795405064)
    log.close()
    assert path.read_text() == (
        "The following events occurred:\n"
        "2026-11-23\t03:37:43.500000\t1795405063.500000: Aborting call\nover two lines\n"
        "2026-11-23\t03:37:44.000000\t1795405064.000000: again\n"
    )
    assert (log.count, log.last.endswith(": again")) == (2, True)


def test_without_a_file_the_last_error_is_kept() -> None:
    log = ErrorLog(None)
    log.write("one", 0)
    log.close()
    assert log.last.endswith(": one")


def test_file_names_are_sipps() -> None:
    assert trace_name("dir/my.call.xml", 12, "stat") == "my.call_12_.csv"
    assert trace_name("uac", 12, "errors") == "uac_12_errors.log"

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sipreplay.bundle.model import Bundle, BundleScenario
from sipreplay.bundle.script import in_order, sipp_script
from sipreplay.errors import BundleError


def pair(name: str, **more: object) -> list[BundleScenario]:
    uac = BundleScenario(f"{name}-uac", f"{name}-uac.xml", "uac", pair=f"{name}-uas")
    for key, value in more.items():
        setattr(uac, key, value)
    uas = BundleScenario(f"{name}-uas", f"{name}-uas.xml", "uas", pair=uac.id, transport=uac.transport)
    return [uac, uas]


def played(folder: Path, script: str, status: str = "0", *names: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a stand-in for SIPp that writes its arguments and ends with `status`."""
    (folder / "b").mkdir(exist_ok=True)
    (folder / "b" / "sipp.sh").write_text(script)
    stand_in = folder / "sipp"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>"{folder}/said"\necho >>"{folder}/said"\nexit {status}\n')
    stand_in.chmod(0o755)
    return subprocess.run(
        ["sh", str(folder / "b" / "sipp.sh"), *names],
        env={"SIPP": str(stand_in), "PATH": "/usr/bin:/bin", "UAS_PORT": "5999"},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_answering_side_starts_first_and_both_get_their_files(tmp_path: Path) -> None:
    scenarios = pair("invite", injection="invite.csv", transport="TCP", calls=7)
    scenarios[1].injection, scenarios[1].injection_index = "invite.csv", 2
    done = played(tmp_path, sipp_script(Bundle("0", scenarios=scenarios)))
    assert done.returncode == 0, done.stderr
    assert "invite-uac: calling side exit 0, answering side exit 0" in done.stdout
    uas, uac = (tmp_path / "said").read_text().splitlines()
    assert "-sf|invite-uas.xml|-inf|invite.csv|-infindex|invite.csv|2|-t|t1|" in uas
    assert uac.startswith("127.0.0.2:5999|-sf|invite-uac.xml|-inf|invite.csv|-t|t1|")
    assert "|-m|7|" in uas
    assert "|-m|7|" in uac
    assert "|-timeout|" in uac


def test_a_failing_side_fails_the_script(tmp_path: Path) -> None:
    done = played(tmp_path, sipp_script(Bundle("0", scenarios=pair("invite"))), "1")
    assert done.returncode == 1
    assert "exit 1" in done.stdout


def test_one_pair_can_be_chosen(tmp_path: Path) -> None:
    script = sipp_script(Bundle("0", scenarios=pair("a") + pair("b")))
    assert played(tmp_path, script, "0", "b-uac").returncode == 0
    assert "a-uac" not in (tmp_path / "said").read_text()


def test_a_registration_comes_before_the_call() -> None:
    invite, register = pair("invite", after=["register-uac"])[0], pair("register")[0]
    assert [s.id for s in in_order([invite, register])] == ["register-uac", "invite-uac"]
    invite.after, register.after = ["register-uac"], ["invite-uac"]
    assert len(in_order([invite, register])) == 2


@pytest.mark.parametrize("name", ["x;reboot", "$(reboot)", "a b", "-rf", "`x`", "a\nb"])
def test_a_name_that_could_be_a_command_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="cannot stand in a command line"):
        sipp_script(Bundle("0", scenarios=pair(name)))

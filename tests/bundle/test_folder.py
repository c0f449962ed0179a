from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.bundle.folder import read_bundle, write_bundle
from sipreplay.bundle.model import (
    Actor,
    Bundle,
    BundleScenario,
    CapturedCall,
    Expect,
    MediaFile,
    SourceCapture,
)
from sipreplay.bundle.tables import bundle_text, parse_bundle
from sipreplay.bundle.toml import write_toml
from sipreplay.errors import BundleError, UsageError


def example() -> Bundle:
    return Bundle(
        tool_version="0.1.0",
        captures=[SourceCapture('a "b".pcap', "00" * 32)],
        scenarios=[
            BundleScenario(
                "invite-bye-uac",
                "invite-bye-uac.xml",
                "uac",
                pair="invite-bye-uas",
                injection="invite-bye.csv",
                media=[MediaFile("media/a.pcap", "audio", 10, 200.0, "PCMU", "12#", "one")],
                emulates=["10.0.0.1:5060"],
                calls=3,
                duration_ms=1234.5,
            ),
            BundleScenario("invite-bye-uas", "invite-bye-uas.xml", "uas", pair="invite-bye-uac", injection_index=2),
        ],
        actors=[Actor("actor-1", "endpoint", ["10.0.0.1:5060"])],
        calls=[CapturedCall(1, ["invite-bye-uac"])],
        expect=[Expect("invite-bye-uac", 1, "x@y", ["> INVITE", "< 200 INVITE"], 1.5, None)],
        notes=["cut"],
    )


FILES: dict[str, bytes | Path] = {
    "invite-bye-uac.xml": b"<a/>",
    "invite-bye-uas.xml": b"<b/>",
    "invite-bye.csv": b"SEQUENTIAL\na\n",
    "media/a.pcap": b"pcap",
}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "bundle"
    write_bundle(folder, example(), FILES)
    assert read_bundle(folder) == example()
    assert (folder / "media" / "a.pcap").read_bytes() == b"pcap"
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_a_full_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty.*--force"):
        write_bundle(tmp_path, example(), FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_force_replaces_the_old_bundle_and_keeps_foreign_files(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    write_bundle(folder, example(), FILES)
    (folder / "note.txt").write_text("mine")
    other = Bundle("0.1.0", scenarios=[BundleScenario("x-uac", "x-uac.xml", "uac")])
    write_bundle(folder, other, {"x-uac.xml": b"<x/>"}, force=True)
    assert read_bundle(folder) == other
    assert (folder / "note.txt").read_text() == "mine"
    assert not (folder / "invite-bye-uac.xml").exists()
    assert not (folder / "media" / "a.pcap").exists()


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    write_bundle(tmp_path, example(), FILES)
    assert read_bundle(tmp_path) == example()


def test_the_working_directory_can_be_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bundle(Path("."), example(), FILES)
    assert read_bundle(Path(".")) == example()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_nothing_is_left_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(tmp_path / "b", example(), {**FILES, "media/gone.pcap": tmp_path / "gone.pcap"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x.xml", "/etc/x", "a/../../x", "~/x", "", "a\nb", "bundle.toml", "dir/"])
def test_no_file_is_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "b", example(), {name: b"x"})
    assert list(tmp_path.iterdir()) == []


def damaged(tmp_path: Path, old: str, new: str) -> Path:
    folder = tmp_path / "b"
    write_bundle(folder, example(), FILES)
    text = (folder / "bundle.toml").read_text()
    assert old in text
    (folder / "bundle.toml").write_text(text.replace(old, new, 1))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sipreplay/bundle/1", "sipreplay/bundle/2", r"schema.*update sipreplay"),
        ("sipreplay/bundle/1", "else", r"schema must be"),
        ('role = "uac"', 'role = "proxy"', r"scenario\[1\]\.role"),
        ('role = "uac"\n', "", r"scenario\[1\]\.role is missing"),
        ("calls = 3", 'calls = "3"', r"scenario\[1\]\.calls must be a whole number"),
        ("calls = 3", "cals = 3", r"unknown key scenario\[1\]\.cals"),
        ('pair = "invite-bye-uas"', 'pair = "nobody"', r"scenario\[1\]\.pair names 'nobody'"),
        ('"invite-bye-uac.xml"', '"../../etc/passwd"', r"scenario\[1\]\.file .*leaves the bundle"),
        ('"invite-bye-uac.xml"', '"/etc/passwd"', r"scenario\[1\]\.file .*not relative"),
        ('"invite-bye.csv"', '"gone.csv"', r"scenario\[1\]\.injection names 'gone.csv'"),
        ('"media/a.pcap"', '"media/b.pcap"', r"media\[1\]\.file names"),
        ("calls = 3", "calls = = 3", r"not valid TOML.*line"),
        ('legs = ["invite-bye-uac"]', "legs = [1]", r"call\[1\]\.legs must be a list of texts"),
        ('legs = ["invite-bye-uac"]', 'legs = ["q"]', r"call\[1\]\.legs names 'q'"),
        ("[[actor]]", "[actor]", r"actor must be an array of tables"),
    ],
)
def test_a_bundle_edited_wrongly_says_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = damaged(tmp_path, old, new)
    with pytest.raises(BundleError, match=said) as error:
        read_bundle(folder)
    assert "bundle.toml" in str(error.value)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    write_bundle(folder, example(), FILES)
    (folder / "invite-bye-uac.xml").unlink()
    (folder / "invite-bye-uac.xml").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="link that leaves"):
        read_bundle(folder)


def test_folders_that_are_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        read_bundle(tmp_path / "none")
    with pytest.raises(BundleError, match=r"no bundle\.toml"):
        read_bundle(tmp_path)
    (tmp_path / "f").write_text("x")
    with pytest.raises(BundleError, match="is a file"):
        read_bundle(tmp_path / "f")
    (tmp_path / "bundle.toml").write_bytes(b"\xff")
    with pytest.raises(BundleError, match="not UTF-8"):
        read_bundle(tmp_path)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(max_size=20)), st.integers(-(2**62), 2**62), st.booleans())
def test_any_text_is_written_as_valid_toml(text: str, texts: list[str], number: int, flag: bool) -> None:
    document = {"a": text, "t": texts, "n": number, "f": flag, "sub": {"x": text}, "rows": [{"y": text, "z": 1.5}]}

    def carried(value: str) -> str:
        return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in value)

    read = tomllib.loads(write_toml(document))
    assert read["a"] == read["sub"]["x"] == read["rows"][0]["y"] == carried(text)
    assert read["t"] == [carried(t) for t in texts]
    assert (read["n"], read["f"]) == (number, flag)


@settings(deadline=None)
@given(st.text(max_size=50))
def test_captured_text_cannot_break_the_tables(text: str) -> None:
    bundle = example()
    bundle.expect[0].call_id = text
    bundle.notes = [text]
    read = parse_bundle(bundle_text(bundle), "x")
    assert len(read.scenarios) == 2
    assert len(read.expect) == 1

from __future__ import annotations

import pytest

from sipreplay.errors import UsageError
from sipreplay.scenario.builtin import MEDIA_FOLDER, builtin, builtin_names, builtin_scenario
from sipreplay.scenario.checks import media_kinds
from sipreplay.scenario.model import Exec
from sipreplay.scenario.reader import read_scenario


@pytest.mark.parametrize("name", builtin_names())
def test_what_is_printed_is_what_runs(name: str) -> None:
    printed = read_scenario(builtin(name), f"{name}.xml")
    value = builtin_scenario(name)
    assert len(printed.elements) == len(value.elements)
    for read in printed.elements:
        read.line = 0
    assert printed == value


def test_roles() -> None:
    assert [name for name in builtin_names() if builtin_scenario(name).is_client] == [
        "uac",
        "regexp",
        "branchc",
        "3pcc-C-A",
        "uac_pcap",
    ]


def test_media_of_uac_pcap_comes_with_the_package() -> None:
    scenario = builtin_scenario("uac_pcap")
    assert media_kinds(scenario) == {"audio"}
    for element in scenario.elements:
        for action in element.actions:
            assert isinstance(action, Exec)
            assert (MEDIA_FOLDER / action.value).read_bytes()[:4] == b"\xd4\xc3\xb2\xa1"


def test_a_name_that_is_not_built_in_says_so() -> None:
    with pytest.raises(UsageError, match=r"unknown built-in.*uac, uas"):
        builtin("uax")

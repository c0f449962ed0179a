from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.errors import UsageError
from sipreplay.learn.options import LearnOptions
from tests.learn.flows import Talk, basic_call, learned


def talks() -> list[Talk]:
    busy = Talk(call_id="busy", caller="+49 30 111", callee="0049302222", start=1100.0)
    busy.request(0.0, "INVITE", 1, target="sip:0049302222@example.com")
    busy.response(0.1, 486, 1, "INVITE")
    register = Talk(call_id="reg", caller="carol", callee="carol", start=1200.0)
    register.request(0.0, "REGISTER", 1)
    register.response(0.1, 200, 1, "REGISTER")
    return [basic_call(), busy, register]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (LearnOptions(), {"invite-bye", "invite-486", "register"}),
        (LearnOptions(calls=(2,)), {"invite-486"}),
        (LearnOptions(calls=(1, 3)), {"invite-bye", "register"}),
        (LearnOptions(numbers=("alice",)), {"invite-bye"}),
        (LearnOptions(numbers=("+49 30-2222",)), {"invite-486"}),
        (LearnOptions(numbers=("004930111",)), {"invite-486"}),
        (LearnOptions(numbers=("alice", "carol")), {"invite-bye", "register"}),
        (LearnOptions(filter="method=BYE"), {"invite-bye"}),
        (LearnOptions(filter="kind=invite and code!=486"), {"invite-bye"}),
        (LearnOptions(filter="code=486"), {"invite-486"}),
        (LearnOptions(filter="from~^C"), {"register"}),
        (LearnOptions(filter="kind!~^(invite|options)$ and callee=203.0.113.9"), {"register"}),
        (LearnOptions(filter="call-id=busy", calls=(2,)), {"invite-486"}),
    ],
)
def test_what_is_chosen_is_learned(tmp_path: Path, options: LearnOptions, names: set[str]) -> None:
    options.force = True
    assert {row.name for row in learned(tmp_path, talks(), options).report.scenarios} == names


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("colour=red", "no field is called 'colour'"),
        ("method=", "column 8: a value is wanted"),
        ("from~(", "no regular expression"),
        ("from~" + "a" * 300, "longer than"),
        ("code=200 and ", "column 14: the expression ends too early"),
        ("kind=publish", "choose no dialog"),
    ],
)
def test_a_filter_that_cannot_be_used_says_why(tmp_path: Path, expression: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        learned(tmp_path, talks(), LearnOptions(filter=expression))

from pathlib import Path

import pytest

from sipreplay.engine.config import EngineConfig
from sipreplay.errors import UsageError
from sipreplay.runner.overrides import replaced, settled_injection
from sipreplay.runner.plan import Pair, Plan, Side

TEXT = "SEQUENTIAL\n# columns: caller;domain\n100;captured.example\n101;captured.example\n"


def plan(path: Path) -> Plan:
    side = Side("x", "uac", EngineConfig("x.xml", injection=[path]), False)
    return Plan("x", [Pair("x", side, None)], None, 1.0, 1)


def test_a_column_is_replaced_on_every_line_and_nothing_else() -> None:
    columns, text = replaced(TEXT, {"domain": "lab.example"})
    assert columns == ["caller", "domain"]
    assert text == "SEQUENTIAL\n# columns: caller;domain\n100;lab.example\n101;lab.example\n"


def test_the_run_sees_a_copy_and_the_bundle_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(TEXT)
    mine = plan(path)
    assert mine.pairs[0].uac is not None
    config = mine.pairs[0].uac.config
    with settled_injection(mine, {"domain": "lab.example"}):
        assert config.injection[0].name == "calls.csv", "scenarios name the file by its base name"
        assert "lab.example" in config.injection[0].read_text()
    assert path.read_text() == TEXT


def test_credentials_replace_the_learned_ones_where_there_are_any(tmp_path: Path) -> None:
    learned, plain = tmp_path / "auth.csv", tmp_path / "plain.csv"
    learned.write_text("SEQUENTIAL\n# columns: caller;auth_user;auth_password\n100;alice;password\n")
    plain.write_text(TEXT)
    for path, line in ((learned, "100;bob;secret"), (plain, "100;captured.example")):
        mine = plan(path)
        assert mine.pairs[0].uac is not None
        with settled_injection(mine, {}, ("bob", "secret")):
            assert mine.pairs[0].uac.config.injection[0].read_text().splitlines()[2] == line


def test_an_unknown_column_is_named_with_those_that_exist(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(TEXT)
    with pytest.raises(UsageError, match="caller, domain"), settled_injection(plan(path), {"domian": "x"}):
        pass


def test_a_value_that_a_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot hold"), settled_injection(plan(tmp_path), {"domain": "a;b"}):
        pass

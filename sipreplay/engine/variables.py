"""Variables of a scenario: names to references, and values as SIPp types them.

A value is text (bytes), a double (float), a bool, or None while undefined. Reads never convert text to a number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sipreplay.engine.call import Call, Value
from sipreplay.engine.steps import CALL_SCOPE, GLOBAL_SCOPE, INDEX_MASK, NO_VARIABLE, USER_SCOPE

if TYPE_CHECKING:
    from sipreplay.engine.context import Context

_DOUBLE = re.compile(
    rb"[ \t\r\n\f\v]*[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    rb"|0[xX][0-9a-fA-F]+|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)


class Names:
    """Gives every variable its reference, while a scenario is compiled.

    A name is global or of the user if the scenario declares it so, else of the call, made on first use.
    """

    def __init__(self, global_names: list[str], user_names: list[str], *, users: bool) -> None:
        self.references: dict[str, int] = {}
        self.call_count = 0
        self.user_count = 0
        self.global_count = 0
        for name in global_names:
            if name not in self.references:
                self.references[name] = GLOBAL_SCOPE + self.global_count
                self.global_count += 1
        for name in user_names if users else ():
            if name not in self.references:
                self.references[name] = USER_SCOPE + self.user_count
                self.user_count += 1

    def reference(self, name: str) -> int:
        """The reference of a name; NO_VARIABLE for ""."""
        if not name:
            return NO_VARIABLE
        known = self.references.get(name)
        if known is None:
            known = self.references[name] = CALL_SCOPE + self.call_count
            self.call_count += 1
        return known


def read(engine: Context, call: Call, reference: int) -> Value:
    """The value of a variable; None while undefined."""
    if reference < USER_SCOPE:
        return call.variables[reference] if call.variables is not None and reference >= 0 else None
    if reference >= GLOBAL_SCOPE:
        return engine.globals[reference & INDEX_MASK]
    return engine.user_values(call.user)[reference & INDEX_MASK]


def write(engine: Context, call: Call, reference: int, value: Value) -> None:
    """Set a variable; nothing for NO_VARIABLE."""
    if reference < 0:
        return
    if reference < USER_SCOPE:
        if call.variables is None:
            call.variables = [None] * engine.program.call_variables
        call.variables[reference] = value
    elif reference >= GLOBAL_SCOPE:
        engine.globals[reference & INDEX_MASK] = value
    else:
        engine.user_values(call.user)[reference & INDEX_MASK] = value


def is_set(value: Value) -> bool:
    """What `test` and `condexec` ask: text always, a double if it is not 0, a bool if it is true."""
    if value is None:
        return False
    if isinstance(value, bytes):
        return True
    return bool(value)


def as_double(value: Value) -> float:
    """The number, or 0.0 for anything that is not a double."""
    return value if isinstance(value, float) else 0.0


def as_text(value: Value) -> bytes:
    """The text, or b"" for anything that is not text."""
    return value if isinstance(value, bytes) else b""


def printed(value: Value) -> bytes:
    """What [$name] writes. Unlike SIPp, a double of 0 writes 0.000000 and not nothing."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if value is True:
        return b"true"
    if value is False:
        return b"false"
    return b"%f" % value


def parse_double(text: bytes) -> float | None:
    """The number that the whole text is (strtod), or None."""
    if _DOUBLE.fullmatch(text) is None:
        return None
    stripped = text.strip()
    if stripped[:2].lower() == b"0x" or stripped[1:3].lower() == b"0x":
        return float(int(stripped, 16))
    return float(stripped)

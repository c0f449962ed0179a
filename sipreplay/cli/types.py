"""Parameter types of the commands: durations, targets, settings."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[Any]):
    """Seconds, from `90`, `1.5s`, `250ms`, `2m` or `1h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float."""
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?", str(value).strip())
        if not match:
            self.fail(f"{value!r} is no duration; write 90, 1.5s, 250ms, 2m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class Target(click.ParamType[Any]):
    """`HOST`, `HOST:PORT` or `[IPv6]:PORT`; the port is 5060 where none is given."""

    name = "host[:port]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """(host, port)."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        match = re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\](?::(\d+))?|([^:\[\]/\s]+)(?::(\d+))?", text)
        if match:
            host, port = match[1] or match[3], int(match[2] or match[4] or 5060)
            if 0 < port < 65536:
                return host, port
            self.fail(f"port {port} is not between 1 and 65535", param, ctx)
        if text.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]+", text):
            return text, 5060
        return self.fail(f"{text!r} is no target; write host, host:port or [IPv6]:port", param, ctx)


class Setting(click.ParamType[Any]):
    """`FIELD=VALUE`."""

    name = "field=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """(field, value)."""
        if isinstance(value, tuple):
            return value
        field, equals, rest = str(value).partition("=")
        if not equals or not field:
            self.fail(f"{value!r} is not of the form FIELD=VALUE", param, ctx)
        return field, rest

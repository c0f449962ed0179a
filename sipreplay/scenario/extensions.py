"""What a scenario may ask for beyond SIPp: attributes of a namespace of their own, which SIPp reads past.

`<scenario xmlns:sr="urn:sipreplay:1" sr:unexpected="answer">`: the prefix is the author's, the namespace is this one.
"""

from __future__ import annotations

import re

from sipreplay.scenario.attributes import Attributes

_NAME = re.compile(r"[A-Za-z0-9._]{1,32}")
"""It stands at the beginning of the dialog's Call-ID."""
NAMESPACE = "urn:sipreplay:1"
UNEXPECTED = ("fail", "answer", "ignore", "queue")
"""What becomes of a message that no step takes: SIPp's way; a request is answered with 200, and the call goes on; it is
dropped; it waits for a later step that takes it."""


class Extensions:
    """The extensions of one file, by the prefix that its `<scenario>` gives the namespace."""

    def __init__(self, root: Attributes) -> None:
        self.prefix = next(
            (name[6:] for name in root.names if name[:6] == "xmlns:" and root.raw(name) == NAMESPACE), ""
        )

    def unexpected(self, a: Attributes) -> str:
        """What an element says of unexpected messages; "" if nothing. Raises ScenarioError for what is not built."""
        if not self.prefix:
            return ""
        for name in a.names:
            if name.startswith(f"{self.prefix}:") and name[len(self.prefix) + 1 :] not in ("unexpected", "dialog"):
                raise a.error(f"{name}: unknown extension; there are {self.prefix}:unexpected and {self.prefix}:dialog")
        value = a.raw(f"{self.prefix}:unexpected")
        if value and value not in UNEXPECTED:
            raise a.error(
                f'{self.prefix}:unexpected="{value}" must be {", ".join(UNEXPECTED[:-1])} or {UNEXPECTED[-1]}'
            )
        return value

    def dialog(self, a: Attributes) -> str:
        """The name of the dialog that a message belongs to; "" for the call's first. Raises ScenarioError."""
        name = a.raw(f"{self.prefix}:dialog") if self.prefix else ""
        if name and a.tag not in ("send", "recv"):
            raise a.error(f"{self.prefix}:dialog belongs on a send or recv")
        if name and not _NAME.fullmatch(name):
            raise a.error(f'{self.prefix}:dialog="{name}" must be of letters, digits, dot and underscore')
        return name

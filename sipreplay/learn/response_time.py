"""Response times of a calling side: from the request that opens the call to its final response (SIPp's RTD).

A challenge is not the answer: the request that comes again with credentials starts the clock again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipreplay.scenario.model import Element, Recv, Scenario, Send

RESPONSE_BINS_MS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
LENGTH_BINS_MS = [100, 500, 1000, 5000, 10000, 60000, 300000]


def measure(scenario: Scenario) -> None:
    """Put `start_rtd` and `rtd` on the steps, and SIPp's tables at the end. Does nothing where no answer is awaited."""
    found = _opening(scenario.elements)
    if found is None:
        return
    request, answer = found
    name = _method(request).lower()
    request.start_rtd = answer.rtd = name
    scenario.response_time_repartition = list(RESPONSE_BINS_MS)
    scenario.call_length_repartition = list(LENGTH_BINS_MS)


def _opening(elements: Sequence[Element]) -> tuple[Send, Recv] | None:
    """The first request sent, as last repeated after a challenge, and the step that awaits its final response."""
    request: Send | None = None
    for element in elements:
        if isinstance(element, Send):
            method = _method(element)
            if request is None and not method:
                return None
            if request is None or method == _method(request):
                request = element
            elif method != "ACK":
                return None
        elif request is not None and isinstance(element, Recv) and _is_final(element) and not element.auth:
            return request, element
    return None


def _is_final(element: Recv) -> bool:
    return element.optional == "false" and element.response.isdigit() and int(element.response) >= 200


def _method(element: Send) -> str:
    """Of a request; "" for a response."""
    first = element.text.strip().split(None, 1)[0] if element.text.strip() else ""
    return "" if first.startswith("SIP/") else first

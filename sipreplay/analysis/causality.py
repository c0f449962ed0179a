"""The order in which messages must have happened, where clocks of capture ports disagree.

A request comes before its responses, a request on one hop before the same request on the next, and a response the other
way round. Between messages that nothing orders, time does. Never changes a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from sipreplay.analysis.model import Address, CapturedMessage
from sipreplay.analysis.rows import Row
from sipreplay.sip.via import branch_of

_Key = tuple[str, int, str, int, str]


def via_branches(captured: CapturedMessage) -> list[str]:
    """The branches of all Vias, top first."""
    if isinstance(captured, Row):
        return captured.branches
    return [branch_of(part) for part in captured.message.via_values]


def _key(captured: CapturedMessage, branch: str) -> _Key:
    message = captured.message
    return (branch, message.cseq_number, message.cseq_method, message.status, message.to_tag if message.status else "")


def _answer_key(captured: CapturedMessage) -> tuple[int, str, Address] | None:
    """What ties a final answer to an INVITE to its ACK: CSeq number, To-tag and the caller's address."""
    message = captured.message
    if message.status >= 200 and message.cseq_method == "INVITE":
        return message.cseq_number, message.to_tag, captured.destination
    if message.method == "ACK":
        return message.cseq_number, message.to_tag, captured.source
    return None


def causal_order(messages: Sequence[CapturedMessage]) -> list[CapturedMessage]:
    """The messages with every effect after its cause; otherwise by time, then by place in the input."""
    first: dict[_Key, int] = {}
    answers: dict[tuple[int, str, Address], int] = {}
    for number, captured in enumerate(messages):
        first.setdefault(_key(captured, captured.message.branch), number)
        if captured.message.status and (answer := _answer_key(captured)):
            answers.setdefault(answer, number)
    after: list[list[int]] = [[] for _ in messages]
    waiting = [0] * len(messages)

    def edge(cause: int | None, effect: int) -> None:
        if cause is not None and cause != effect:
            after[cause].append(effect)
            waiting[effect] += 1

    for number, captured in enumerate(messages):
        message = captured.message
        branches = via_branches(captured)
        if message.status:
            edge(first.get((message.branch, message.cseq_number, message.cseq_method, 0, "")), number)
        elif message.method == "ACK" and (answer := _answer_key(captured)):
            edge(answers.get(answer), number)
        if len(branches) > 1:
            upstream = first.get(_key(captured, branches[1]))
            if upstream is not None:
                edge(*((number, upstream) if message.status else (upstream, number)))
    ready = [(captured.time, number) for number, captured in enumerate(messages) if not waiting[number]]
    heapq.heapify(ready)
    ordered: list[CapturedMessage] = []
    done = [False] * len(messages)
    while ready:
        _, number = heapq.heappop(ready)
        done[number] = True
        ordered.append(messages[number])
        for effect in after[number]:
            waiting[effect] -= 1
            if not waiting[effect]:
                heapq.heappush(ready, (messages[effect].time, effect))
    # Contradictory evidence (a cycle) must lose no message.
    ordered.extend(captured for number, captured in enumerate(messages) if not done[number])
    return ordered

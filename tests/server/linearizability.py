"""Whether what clients of one register saw can be explained by one order: each operation at one moment between its call and its return.

The search is that of Wing and Gong, with Lowe's memoisation: the calls that are open are tried one after the other, and what was tried already, a set of operations
and the state that they leave, is not tried again. Linearizability is local, so each key is a history of its own.

An operation whose outcome is unknown (its client lost the connection, or was told UNKNOWN) happens at some moment from its call on, or never. Where it is known that
it cannot happen later than some moment, as when the server that had it was killed, `returned` says so; else it is NEVER.

Operations of one client that were called at the same time are a pipeline: they happen in their order.
"""
import math
from typing import NamedTuple, Optional

NEVER = math.inf
ABSENT = None
PUT, GET, DELETE = "put", "get", "delete"


class Operation(NamedTuple):
    """value: what PUT wrote, GET read (ABSENT: nothing was there), or whether DELETE found something."""

    kind: str
    value: object
    called: float
    returned: float
    is_known: bool = True
    client: Optional[int] = None

    def __str__(self):
        end = "..." if self.returned == NEVER else f"{self.returned:.6f}"
        return f"[{self.called:.6f}, {end}] client {self.client}: {self.kind} {self.value!r:.60}{'' if self.is_known else ', unknown'}"


def apply(state, operation):
    """The state after the operation, and whether it could have had its outcome in this one."""
    if operation.kind == PUT:
        return operation.value, True
    if operation.kind == DELETE:
        return ABSENT, not operation.is_known or operation.value == (state is not ABSENT)
    return state, operation.value == state


class Event:
    """The call or the return of an operation, in a list by time."""

    __slots__ = ("operation", "bit", "match", "before", "after")

    def __init__(self, operation, bit, match=None):
        self.operation, self.bit, self.match = operation, bit, match  # match: of a call its return, of a return None
        self.before = self.after = None

    def remove(self):
        for event in (self, self.match):
            event.before.after = event.after
            if event.after is not None:
                event.after.before = event.before

    def put_back(self):
        for event in (self.match, self):
            event.before.after = event
            if event.after is not None:
                event.after.before = event


def make_events(operations):
    """The head of the list. At the same time calls come before returns: then the two operations overlap."""
    marks = []
    for index, operation in enumerate(operations):
        end = Event(operation, 1 << index)
        marks.append((operation.called, 0, index, Event(operation, 1 << index, end)))
        marks.append((operation.returned, 1, index, end))
    marks.sort(key=lambda mark: mark[:3])
    head = last = Event(None, 0)
    for *_, event in marks:
        last.after, event.before = event, last
        last = event
    return head


def find_predecessors(operations):
    """For the bit of each operation that of the one before it in its pipeline; 0: it is the first."""
    before, last = {}, {}
    for index, operation in enumerate(operations):
        pipeline = (operation.client, operation.called)
        before[1 << index] = last.get(pipeline, 0) if operation.client is not None else 0
        last[pipeline] = 1 << index
    return before


def check(operations, state=ABSENT):
    """None if the history is linearizable from this state on; else the operations of which the first to return could not be put in any order."""
    operations = [each for each in operations if each.is_known or each.kind != GET]
    head, before = make_events(operations), find_predecessors(operations)
    calls = {}  # by the bit of the operation
    event = head.after
    while event is not None:
        if event.match is not None:
            calls[event.bit] = event
        event = event.after
    done, tried, trail = 0, set(), []
    best, best_done, limit = -1, 0, NEVER
    event = head.after
    while head.after is not None:
        if event.match is not None:
            after, is_possible = apply(state, event.operation)
            is_next = done & before[event.bit] == before[event.bit]
            if is_possible and is_next and (done | event.bit, after) not in tried:
                tried.add((done | event.bit, after))
                trail.append((event, state))
                done, state = done | event.bit, after
                event.remove()
                event = head.after
            else:
                event = event.after
            continue
        call = calls[event.bit]
        if not event.operation.is_known and (done | event.bit, state) not in tried:
            tried.add((done | event.bit, state))  # it never happens
            trail.append((call, state))
            done |= event.bit
            call.remove()
            event = head.after
            continue
        if len(trail) > best:
            best, best_done, limit = len(trail), done, event.operation.returned
        if not trail:
            return [each for index, each in enumerate(operations) if not best_done >> index & 1 and each.called <= limit]
        call, state = trail.pop()
        done &= ~call.bit
        call.put_back()
        event = call.after
    return None

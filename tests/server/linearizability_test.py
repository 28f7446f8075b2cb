"""The checker of histories: it must refuse what no order explains, and accept what one does. A checker that accepts everything proves nothing."""
import itertools
import random

from linearizability import ABSENT, DELETE, GET, NEVER, PUT, Operation, apply, check
from support import expect, run_tests


def history(*lines):
    return [Operation(*line) for line in lines]


def refused(*lines):
    expect(check(history(*lines)), f"accepted: {lines}")


def accepted(*lines):
    expect(check(history(*lines)) is None, f"refused: {lines}")


def linearizability_stale_read_is_refused():
    """An acknowledged write that a later read does not see is a lost write."""
    refused((PUT, "a", 0, 1), (GET, ABSENT, 2, 3))
    refused((PUT, "a", 0, 1), (PUT, "b", 2, 3), (GET, "a", 4, 5))
    refused((PUT, "a", 0, 1), (DELETE, True, 2, 3), (GET, "a", 4, 5))
    accepted((PUT, "a", 0, 1), (PUT, "b", 2, 3), (GET, "b", 4, 5))
    accepted((PUT, "a", 0, 1), (PUT, "b", 2, 5), (GET, "a", 3, 4))


def linearizability_value_that_comes_and_goes_is_refused():
    """Who has seen a write must see it again, also while the write is not answered yet."""
    refused((PUT, "a", 0, 1), (PUT, "b", 2, 9), (GET, "b", 3, 4), (GET, "a", 5, 6))
    accepted((PUT, "a", 0, 1), (PUT, "b", 2, 9), (GET, "a", 3, 4), (GET, "b", 5, 6))
    refused((PUT, "a", 0, 9), (PUT, "b", 0, 9), (GET, "a", 1, 2), (GET, "b", 3, 4), (GET, "a", 5, 6))


def linearizability_value_from_nowhere_is_refused():
    """A value that nobody had written yet, or at all."""
    refused((GET, "a", 0, 1), (PUT, "a", 2, 3))
    refused((PUT, "a", 0, 1), (GET, "b", 2, 3))


def linearizability_deletes_count():
    """Two deletes of one value cannot both have found it."""
    refused((PUT, "a", 0, 1), (DELETE, True, 2, 4), (DELETE, True, 3, 5))
    refused((PUT, "a", 0, 1), (DELETE, False, 2, 3))
    accepted((PUT, "a", 0, 1), (DELETE, True, 2, 4), (DELETE, False, 3, 5))


def linearizability_unknown_outcome_happens_later_or_never():
    """It may be seen long after, but then it stays; it may never be seen, but then it does not come up; and after its last moment it is decided."""
    unknown = (PUT, "b", 2, NEVER, False)
    accepted((PUT, "a", 0, 1), unknown, (GET, "a", 4, 5), (GET, "b", 6, 7))
    accepted((PUT, "a", 0, 1), unknown, (GET, "a", 4, 5))
    refused((PUT, "a", 0, 1), unknown, (GET, "b", 4, 5), (GET, "a", 6, 7))
    refused((PUT, "a", 0, 1), (GET, "b", 1.2, 1.4), unknown)
    bounded = (PUT, "b", 2, 3, False)
    accepted((PUT, "a", 0, 1), bounded, (GET, "a", 4, 5))
    refused((PUT, "a", 0, 1), bounded, (GET, "a", 4, 5), (GET, "b", 6, 7))
    accepted((PUT, "a", 0, 1), (DELETE, None, 2, NEVER, False), (GET, ABSENT, 4, 5))
    refused((PUT, "a", 0, 1), (DELETE, None, 2, NEVER, False), (GET, ABSENT, 4, 5), (GET, "a", 6, 7))
    accepted((PUT, "a", 0, 1), (GET, None, 2, NEVER, False), (GET, "a", 4, 5))


def linearizability_pipeline_keeps_its_order():
    """A client reads what it wrote just before, although it has no answer yet."""
    def pipeline(client, *values):
        return [Operation(kind, value, 0, 5, True, client) for kind, value in values]
    expect(check(pipeline(1, (PUT, "a"), (GET, ABSENT))), "accepted: a read that overtakes a write of its pipeline")
    expect(check(pipeline(1, (PUT, "a"), (GET, "a"))) is None, "refused: a read behind a write of its pipeline")
    expect(check(pipeline(None, (PUT, "a"), (GET, ABSENT))) is None, "refused: two that know nothing of each other")


def explained(operations):
    """The same by trying every order of every choice of unknown operations."""
    places = {id(each): place for place, each in enumerate(operations)}
    known = [each for each in operations if each.is_known]
    unknown = [each for each in operations if not each.is_known and each.kind != GET]
    for count in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, count):
            for order in itertools.permutations(known + list(happened)):
                if any(early.client == late.client == 1 and early.called == late.called and places[id(early)] > places[id(late)]
                       for early, late in itertools.combinations(order, 2)):
                    continue
                if any(late.returned < early.called for early, late in itertools.combinations(order, 2)):
                    continue
                state, is_possible = ABSENT, True
                for each in order:
                    state, is_next = apply(state, each)
                    is_possible = is_possible and is_next
                if is_possible:
                    return True
    return False


def random_operation(chance):
    called = chance.randrange(6)
    is_known = chance.random() < 0.7
    returned = called + chance.randrange(1, 6) if is_known or chance.random() < 0.5 else NEVER
    kind, client = chance.choice((PUT, PUT, GET, GET, DELETE)), chance.choice((None, 1 if is_known else None))
    if kind == DELETE:
        return Operation(kind, chance.random() < 0.5 if is_known else None, called, returned, is_known, client)
    return Operation(kind, chance.choice("ab") if kind == PUT else chance.choice(("a", "b", ABSENT)), called, returned, is_known, client)


def linearizability_agrees_with_trying_every_order():
    """The search skips what it has seen; it must not skip an answer."""
    chance = random.Random(1)
    counts = {True: 0, False: 0}
    for _ in range(3000):
        operations = [random_operation(chance) for _ in range(chance.randrange(1, 7))]
        wanted = explained(operations)
        expect((check(operations) is None) == wanted, f"{'refused' if wanted else 'accepted'}: {[str(each) for each in operations]}")
        counts[wanted] += 1
    expect(min(counts.values()) > 500, f"hardly a choice: {counts}")


if __name__ == "__main__":
    run_tests([linearizability_stale_read_is_refused, linearizability_value_that_comes_and_goes_is_refused,
               linearizability_value_from_nowhere_is_refused, linearizability_deletes_count,
               linearizability_unknown_outcome_happens_later_or_never, linearizability_pipeline_keeps_its_order,
               linearizability_agrees_with_trying_every_order])

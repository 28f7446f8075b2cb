"""The file of expected values must refuse what no prefix explains: a checker that accepts everything would make every kill test pass."""
import os

from expected_state import DONE, REFUSED, UNKNOWN, ExpectedState, Violation, describe
from support import expect, run_tests, work_folder

KEYS = 8


def fresh():
    return ExpectedState(os.path.join(work_folder(), "expected"), seed=1, writers=2, keys=KEYS)


def values(state, writer, numbers):
    """What a server holds in which the keys have had so many changes; keys not named have had none."""
    return [state.change(writer, index, numbers.get(index, 0)) for index in range(KEYS)]


def put(state, writer, index):
    """The number of the next change of a key that is no deletion; deletions before it are begun and answered."""
    while True:
        number = state.numbers(writer, index)[2]
        if state.change(writer, index, number) is not None:
            return number
        commit(state, writer, [[index]])


def commit(state, writer, commands):
    state.answer(writer, state.begin(writer, commands), [DONE] * len(commands))


def refuses(state, found, word, writer=0):
    try:
        state.settle(writer, found)
    except Violation as violation:
        expect(word in str(violation), f"{word!r} is not in {str(violation)!r}")
        return
    raise AssertionError(f"accepted: {found}")


def expected_state_lost_change_is_refused():
    """An acknowledged change that is not there."""
    state = fresh()
    number = put(state, 0, 3)
    commit(state, 0, [[3]])
    refuses(state, values(state, 0, {}), "w0-3 is absent; committed is change %d" % number)
    state.settle(0, values(state, 0, {3: number}))


def expected_state_every_prefix_of_pending_is_accepted():
    """A command that was not answered may be there or not, but only with all that were sent before it."""
    numbers = {}
    for length in range(4):
        state = fresh()
        for index in (0, 1, 2):
            numbers[index] = put(state, 0, index)
        state.begin(0, [[0], [1], [2]])
        base = {index: numbers[index] - 1 for index in (0, 1, 2)}
        state.settle(0, values(state, 0, base | {index: numbers[index] for index in range(length)}))
        expect(state.pending(0) == [], "pending commands outlive a restart")
    for there in ({1}, {2}, {0, 2}, {1, 2}):
        state = fresh()
        for index in (0, 1, 2):
            numbers[index] = put(state, 0, index)
        state.begin(0, [[0], [1], [2]])
        found = {index: numbers[index] - (index not in there) for index in (0, 1, 2)}
        refuses(state, values(state, 0, found), "there is a hole")


def expected_state_half_of_a_command_is_refused():
    """MSET changes all its keys, or none."""
    state = fresh()
    a, b = put(state, 0, 0), put(state, 0, 1)
    state.begin(0, [[0, 1]])
    refuses(state, values(state, 0, {0: a, 1: b - 1}), "there is a hole")
    refuses(state, values(state, 0, {0: a - 1, 1: b}), "there is a hole")
    state.settle(0, values(state, 0, {0: a, 1: b}))


def expected_state_older_value_is_refused():
    """What was overwritten must not come back, whether the newer change was acknowledged or seen after a restart."""
    state = fresh()
    first = put(state, 0, 5)
    state.begin(0, [[5]])
    second = put(state, 0, 5)
    state.begin(0, [[5]])
    state.settle(0, values(state, 0, {5: second}))
    refuses(state, values(state, 0, {5: first}), f"committed is change {second}")
    commit(state, 0, [[5]])
    refuses(state, values(state, 0, {5: second}), f"is change {second}")


def expected_state_wrong_byte_is_refused_and_told():
    """One flipped bit, a value cut short, a value of another key."""
    for writer in (0, 1):
        state = fresh()
        numbers = {index: put(state, writer, index) for index in (0, 1)}
        commit(state, writer, [[0], [1]])
        good = values(state, writer, numbers)
        flipped = good[0][:-1] + bytes([good[0][-1] ^ 1])
        refuses(state, [flipped, *good[1:]], "with wrong bytes", writer)
        refuses(state, [good[0][:-1], *good[1:]], "with wrong bytes", writer)
        refuses(state, [good[1], *good[1:]], f"of the key w{writer}-1", writer)
        refuses(state, [b"garbage", *good[1:]], "which nobody wrote", writer)
        expect(describe(b"w%d-0" % writer, good[0]) == f"change {numbers[0]}", "a sound value")
        state.settle(writer, good)


def expected_state_refused_change_never_happens():
    """An error that says "not written" must be true, also later; "unknown" leaves both open."""
    for outcome, accepted in ((REFUSED, False), (UNKNOWN, True)):
        state = fresh()
        numbers = {index: put(state, 0, index) for index in (0, 1)}
        base = {index: numbers[index] - 1 for index in (0, 1)}
        begun = state.begin(0, [[0], [1]])
        state.answer(0, begun, [outcome, DONE if outcome == REFUSED else UNKNOWN])
        if accepted:
            state.settle(0, values(state, 0, base | {0: numbers[0]}))
        else:
            refuses(state, values(state, 0, numbers), f"w0-0 is change {numbers[0]}")
            state.settle(0, values(state, 0, base | {1: numbers[1]}))


def expected_state_unknown_change_stays_pending():
    """What follows it is answered by itself."""
    state = fresh()
    numbers = {index: put(state, 0, index) for index in (0, 1)}
    state.answer(0, state.begin(0, [[0]]), [UNKNOWN])
    state.answer(0, state.begin(0, [[1]]), [REFUSED])
    expect(state.pending(0) == [[(0, numbers[0])]], f"pending are {state.pending(0)}")
    base = {index: numbers[index] - 1 for index in (0, 1)}
    state.settle(0, values(state, 0, base | {0: numbers[0]}))


def expected_state_file_is_continued():
    """The driver may be ended, too: what it knew is in the file."""
    state = fresh()
    path = os.path.join(work_folder(), "expected")
    state = ExpectedState(path, seed=9, writers=2, keys=KEYS)
    number = put(state, 1, 2)
    commit(state, 1, [[2]])
    state.begin(1, [[4], [5]])
    again = ExpectedState(path)
    expect((again.seed, again.writers, again.keys) == (9, 2, KEYS), "the header")
    expect(again.numbers(1, 2) == (number, number + 1, number + 1), "a committed change")
    expect(again.pending(1) == [[(4, 1)], [(5, 1)]], "pending commands")
    refuses(again, values(again, 1, {}), "w1-2 is absent", 1)


if __name__ == "__main__":
    run_tests([expected_state_lost_change_is_refused, expected_state_every_prefix_of_pending_is_accepted,
               expected_state_half_of_a_command_is_refused, expected_state_older_value_is_refused,
               expected_state_wrong_byte_is_refused_and_told, expected_state_refused_change_never_happens,
               expected_state_unknown_change_stays_pending, expected_state_file_is_continued])

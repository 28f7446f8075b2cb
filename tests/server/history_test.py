"""What eight clients see of a few keys, through kills, ends and pauses of the server, must be linearizable (linearizability.py).

Each client, of both protocols, sends puts of values that never repeat, gets and deletes, alone or a few in a pipeline, and notes when it sent and when it had the
answer. What was under way when the server was killed happened before the kill, or never. Afterwards each key's history is checked; and, so that a checker
that is blind cannot pass, the same history with one of its reads made stale has to be refused.

    history_test.py --rounds 40 --seed 7       a longer one; --soak: for KVS_SOAK_MINUTES
"""
import argparse
import json
import math
import os
import random
import signal
import socket
import threading
import time

from linearizability import ABSENT, DELETE, GET, NEVER, PUT, Operation, check
from load import MODES, SMALL, end
from support import PATIENCE_S, ReplyError, Server, expect, work_folder

CLIENTS = 8
KEYS = 16  # of which some are asked for more often
ROUND_S = 0.4
PADDING = "x" * 300  # so that a memtable is full after a few hundred writes


class Shared:
    """The server of the moment, and when the earlier ones were dead."""

    def __init__(self):
        self.server = None
        self.deaths = []
        self.is_over = False
        self.changed = threading.Condition()

    def set_server(self, server):
        with self.changed:
            self.server = server
            self.changed.notify_all()

    def await_server(self, after):
        """Another server than the one that is gone; None at the end of the test."""
        with self.changed:
            self.changed.wait_for(lambda: self.is_over or self.server not in (None, after), PATIENCE_S)
            return None if self.is_over else self.server

    def finish(self):
        with self.changed:
            self.is_over = True
            self.changed.notify_all()


class Client(threading.Thread):
    """history: (key, operation) in the order of the calls; operations without an answer are not known."""

    def __init__(self, shared, number, seed):
        super().__init__(daemon=True)
        self.shared, self.number = shared, number
        self.random = random.Random(seed * 100 + number)
        self.serial = 0
        self.history = []
        self.failure = None

    def run(self):
        server = None
        try:
            while (server := self.shared.await_server(server)) is not None:
                self.use(server)
        except AssertionError as failure:
            self.failure = failure

    def use(self, server):
        try:
            client = server.text() if self.number % 2 else server.resp()
            client.call("EXISTS", "k")  # decides on the protocol
            while not self.shared.is_over:
                self.step(client)
        except socket.timeout:
            raise AssertionError(f"client {self.number}: no answer within {PATIENCE_S} s") from None
        except OSError:
            pass

    def choose(self):
        key = f"k{int(KEYS * self.random.random() ** 2)}"
        dice = self.random.random()
        if dice < 0.5:
            return GET, key, ("GET", key)
        if dice < 0.65:
            return DELETE, key, ("DEL", key)
        self.serial += 1
        return PUT, key, ("SET", key, f"{self.number}/{self.serial}/{PADDING}")

    def step(self, client):
        time.sleep(self.random.random() * 0.002)
        commands = [self.choose() for _ in range(self.random.choice((1, 1, 1, 2, 4)))]
        called = time.monotonic()
        replies = []
        try:
            client.socket.sendall(b"".join(client.encode(*words) for _, _, words in commands))
            for _ in commands:
                replies.append((client.receive(), time.monotonic()))
        finally:
            for index, (kind, key, words) in enumerate(commands):
                self.note(kind, key, words, called, *(replies[index] if index < len(replies) else (None, NEVER)))

    def note(self, kind, key, words, called, reply, returned):
        expect(not isinstance(reply, ReplyError), f"{words[:2]} got {reply!r}")
        is_known = returned != NEVER
        value = words[2] if kind == PUT else None
        if kind == GET and is_known:
            value = ABSENT if reply is None else reply.decode()
        if kind == DELETE and is_known:
            value = reply in ("OK", 1)
        self.history.append((key, Operation(kind, value, called, returned, is_known, self.number)))


def bound_unknown(operation, deaths):
    """The server that had the operation can do nothing any more once it is dead."""
    if operation.is_known:
        return operation
    return operation._replace(returned=min((death for death in deaths if death >= operation.called), default=NEVER))


def by_key(clients, deaths):
    histories = {}
    for client in clients:
        for key, operation in client.history:
            histories.setdefault(key, []).append(bound_unknown(operation, deaths))
    return histories


def make_stale(operations):
    """The history with one read that gives a value overwritten before it was asked: None if there is none to take."""
    reads = [each for each in operations if each.kind == GET and each.is_known]
    for read in reads[len(reads) // 2:]:
        before = [each for each in operations if each.is_known and each.kind == PUT and each.returned < read.called]
        if len(before) < 2:
            continue
        newest = max(before, key=lambda each: each.called)
        stale = next((each for each in before if each.returned < newest.called), None)
        if stale is not None:
            return [each._replace(value=stale.value) if each is read else each for each in operations]
    return None


def disturb(shared, chance, server, what):
    """A pause of the server, its death, or its end. Returns whether another one is needed."""
    time.sleep(ROUND_S * (0.5 + chance.random()))
    if what == "pause":
        os.kill(server.pid(), signal.SIGSTOP)
        time.sleep(chance.random() * 0.3)
        os.kill(server.pid(), signal.SIGCONT)
        return False
    if what == "end":
        end(server, "under load")
    else:
        server.kill()
    shared.set_server(None)
    shared.deaths.append(time.monotonic())
    return True


def run(seed, is_over, counts):
    """Servers one after the other under the clients, until is_over says so; gives the histories."""
    chance = random.Random(seed)
    shared, folder = Shared(), work_folder() + "/data"
    clients = [Client(shared, number, seed) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    server = None
    while not is_over(sum(counts.values())):
        if server is None:
            server = Server(*SMALL, "--sync", chance.choice(MODES), folder=folder)
            shared.set_server(server)
        what = chance.choice(("kill", "kill", "pause", "pause", "end"))
        counts[what] += 1
        if disturb(shared, chance, server, what):
            server = None
    shared.finish()
    for client in clients:
        client.join(2 * PATIENCE_S)
        expect(not client.is_alive(), "a client does not end")
    if server is not None:
        server.kill()
    for client in clients:
        if client.failure is not None:
            raise client.failure
    return by_key(clients, shared.deaths)


def keep(path, key, operations):
    with open(path, "w", encoding="ascii") as file:
        for operation in sorted(operations, key=lambda each: each.called):
            print(json.dumps([key, *operation]), file=file)


def judge(histories, seed):
    """All keys must pass; their stale twins must not."""
    refused = 0
    for key, operations in sorted(histories.items()):
        blocked = check(operations)
        if blocked is not None:
            path = os.path.abspath(os.path.join(os.environ.get("KVS_TEST_DIR", "."), f"history_test.{seed}.{key}.json"))
            keep(path, key, operations)
            lines = "\n".join(f"    {operation}" for operation in sorted(blocked, key=lambda each: each.called)[:20])
            raise AssertionError(f"seed {seed}: {key} is not linearizable (history kept: {path}); no order for\n{lines}")
        stale = make_stale(operations)
        if stale is not None:
            expect(check(stale) is not None, f"seed {seed}: {key} is accepted with a stale read")
            refused += 1
    expect(refused != 0, "no history had a read that could be made stale")
    return refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12, help="kills, ends and pauses")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--soak", action="store_true", help="again and again, for KVS_SOAK_MINUTES, by default 10")
    arguments = parser.parse_args()
    limit = time.monotonic() + 60 * float(os.environ.get("KVS_SOAK_MINUTES", "10")) if arguments.soak else -math.inf
    seed = arguments.seed
    while True:
        counts = {"kill": 0, "end": 0, "pause": 0}
        print(f"seed {seed}", flush=True)
        histories = run(seed, lambda rounds: rounds >= arguments.rounds, counts)
        begin = time.monotonic()
        stale = judge(histories, seed)
        operations = [each for history in histories.values() for each in history]
        print(f"history_test: seed {seed}, {CLIENTS} clients, {counts['kill']} kills, {counts['end']} ends, {counts['pause']} pauses: "
              f"{len(operations)} operations on {len(histories)} keys, {sum(not each.is_known for each in operations)} of unknown outcome, "
              f"linearizable; {stale} stale twins refused; checked in {time.monotonic() - begin:.1f} s", flush=True)
        seed += 1
        if time.monotonic() >= limit:
            break


if __name__ == "__main__":
    main()

"""Clients that write what a file of expected values says, and read beside that, until they are told to stop or the server is gone.

A write is answered OK, or with an error that the test allows. Errors are taken at their word: UNKNOWN may be there later or not, every other one says that nothing
was written. An answer that does not come within PATIENCE_S is a failure: a client must never wait for ever.
"""
import os
import random
import signal
import socket
import subprocess
import threading
import time

from expected_state import DONE, PENDING_MAX, REFUSED, UNKNOWN, ExpectedState, Violation, describe
from support import PATIENCE_S, ReplyError, Server, Text, expect, work_folder

MODES = ("always", "interval:20", "os")
# So little memory that it flushes and compacts all the time.
SMALL = ("--memory", "1M", "--threads", "2", "--pool-threads", "2")
PIPELINES = (1, 1, 4, 16, 64)
CASE_WRITERS, CASE_KEYS = 4, 40


class Client(threading.Thread):
    """What writers and readers share: step() is called until stop() or the end of the server; .failure is what went wrong."""

    def __init__(self, server, state, chance):
        super().__init__(daemon=True)
        self.server, self.state = server, state
        self.random = random.Random(chance.getrandbits(64))
        self.failure = None
        self._stopping = threading.Event()

    def run(self):
        try:
            client = self.connect()
            while not self._stopping.is_set():
                self.step(client)
            client.close()
        except socket.timeout:
            self.failure = Violation(f"{type(self).__name__}: no answer within {PATIENCE_S} s")
        except OSError:
            pass  # the server is gone
        except AssertionError as failure:
            self.failure = failure

    def stop(self):
        self._stopping.set()


class Writer(Client):
    """Pipelines writes of its own keys, in the protocol of its number.

    allowed       the errors that may come, by their first word
    acknowledged  how many commands were answered OK; acknowledged_writes: without those that found nothing to delete
    errors        how often each first word of an error came"""

    def __init__(self, server, state, number, chance, allowed=()):
        super().__init__(server, state, chance)
        self.number, self.allowed = number, allowed
        self.acknowledged = self.acknowledged_writes = 0
        self.errors = {}

    def connect(self):
        if not self.state.is_text(self.number):
            return self.server.resp()
        client = self.server.text()
        client.call("EXISTS", "w")  # decides on the protocol
        return client

    def choose(self):
        """Indexes of the keys of a few commands; a command of two changes both or none."""
        commands, taken = [], {}
        for _ in range(self.random.choice(PIPELINES)):
            indexes = self.random.sample(range(self.state.keys), 2)
            if self.random.random() > 0.2 or any(self.is_deletion(index, taken) for index in indexes):
                indexes.pop()
            for index in indexes:
                taken[index] = taken.get(index, 0) + 1
            commands.append(indexes)
        return commands

    def is_deletion(self, index, taken):
        number = self.state.numbers(self.number, index)[2] + taken.get(index, 0)
        return self.state.change(self.number, index, number) is None

    def words(self, command):
        pairs = [(self.state.key(self.number, index), self.state.change(self.number, index, number))
                 for index, number in command]
        if len(pairs) == 2:
            return (b"MSET", *pairs[0], *pairs[1])
        return (b"DEL", pairs[0][0]) if pairs[0][1] is None else (b"SET", *pairs[0])

    def outcome(self, words, reply):
        if isinstance(reply, ReplyError):
            word = str(reply).split()[0]
            expect(word in self.allowed, f"{words[:2]} got {reply!r}")
            self.errors[word] = self.errors.get(word, 0) + 1
            return UNKNOWN if word == "UNKNOWN" else REFUSED
        expect(reply == "OK" or (words[0] == b"DEL" and reply in (0, 1, None)), f"{words[:2]} got {reply!r}")
        # DEL of an absent key writes nothing, and so may be answered where nothing can be written.
        expect("UNKNOWN" not in self.errors or reply in (0, None), f"{words[:2]} was acknowledged after a write whose outcome is unknown")
        self.acknowledged += 1
        self.acknowledged_writes += reply not in (0, None)
        return DONE

    def step(self, client):
        if len(self.state.pending(self.number)) > PENDING_MAX - max(PIPELINES):
            self._stopping.wait(0.01)
            return
        begun, outcomes = self.state.begin(self.number, self.choose()), []
        words = [self.words(command) for command in begun]
        try:
            client.socket.sendall(b"".join(client.encode(*each) for each in words))
            for each in words:
                outcomes.append(self.outcome(each, client.receive()))
        finally:
            self.state.answer(self.number, begun, outcomes)
        if REFUSED in outcomes or UNKNOWN in outcomes:
            self._stopping.wait(0.01)


class Reader(Client):
    """Reads random keys: each value must be one that could be there between the question and the answer.

    reads  how many it read
    info   numbers of the last INFO, by name"""

    def __init__(self, server, state, chance):
        super().__init__(server, state, chance)
        self.reads = 0
        self.info = {}

    def connect(self):
        return self.server.resp()

    def step(self, client):
        for _ in range(20):
            self.read(client)
        self.info = dict(line.split(":", 1) for line in client.call("INFO").decode().splitlines() if ":" in line)

    def read(self, client):
        writer, index = self.random.randrange(self.state.writers), self.random.randrange(self.state.keys)
        committed, first, _ = self.state.numbers(writer, index)
        value = client.call("GET", self.state.key(writer, index))
        end = self.state.numbers(writer, index)[2]
        if value not in (self.state.change(writer, index, number) for number in (committed, *range(first, end))):
            key = self.state.key(writer, index)
            raise Violation(f"{key.decode()} was read as {describe(key, value)}, but it is change {committed} or one of {first} to {end - 1}")
        self.reads += 1


class Load:
    """All writers of a state and some readers, on one server."""

    def __init__(self, server, state, chance, allowed=(), readers=2):
        self.writers = [Writer(server, state, number, chance, allowed) for number in range(state.writers)]
        self.readers = [Reader(server, state, chance) for _ in range(readers)]
        for client in self.writers + self.readers:
            client.start()

    def acknowledged(self):
        return sum(writer.acknowledged for writer in self.writers)

    def acknowledged_writes(self):
        return sum(writer.acknowledged_writes for writer in self.writers)

    def reads(self):
        return sum(reader.reads for reader in self.readers)

    def errors(self):
        """How often each error came."""
        total = {}
        for writer in self.writers:
            for word, count in writer.errors.items():
                total[word] = total.get(word, 0) + count
        return total

    def counter(self, name):
        """The last that INFO said."""
        return max(int(reader.info.get(name, 0)) for reader in self.readers)

    def check(self):
        """Raises what a client has met."""
        for client in self.writers + self.readers:
            if client.failure is not None:
                raise client.failure

    def join(self):
        """The clients end; also raises what one of them has met."""
        for client in self.writers + self.readers:
            client.stop()
        for client in self.writers + self.readers:
            client.join(2 * PATIENCE_S)
            expect(not client.is_alive(), f"a {type(client).__name__} does not end")
        self.check()


def check_keys(server, state):
    """All keys through both protocols against the file, which takes them for committed; and what a scan says of them."""
    resp, text = server.resp(), server.text()
    keys = set()
    for writer in range(state.writers):
        names = [state.key(writer, index) for index in range(state.keys)]
        if state.is_text(writer):
            text.socket.sendall(b"".join(Text.encode("GET", name) for name in names))
            found = [text.receive() for _ in names]
        else:
            found = resp.call("MGET", *names)
        state.settle(writer, found)
        keys.update(name for name, value in zip(names, found) if value is not None)
    scanned = resp.call("RANGE", "", "")[::2]
    expect(scanned == sorted(keys), f"a scan gives {len(scanned)} keys, GET {len(keys)}; "
           f"they differ in {sorted(keys.symmetric_difference(scanned))[:5]}")
    expect(resp.call("COUNT", "", "") == len(keys), "COUNT")
    resp.close()
    text.close()


# Loops drop who does not go after four seconds; the rest is for slow machines.
END_S = 30


class Case:
    """A folder, what it must hold, and one server after the other on it.

    options  of every server"""

    def __init__(self, chance, mode, *, folder=None, options=SMALL):
        self.chance, self.mode, self.options = chance, mode, (*options, "--sync", mode)
        self.data = os.path.join(folder or work_folder(), "data")
        self.state = ExpectedState(os.path.join(work_folder(), "expected"), chance.getrandbits(32), CASE_WRITERS, CASE_KEYS)

    def start(self):
        """A server that has everything."""
        server = Server(*self.options, folder=self.data)
        check_keys(server, self.state)
        return server

    def load(self, server, *allowed):
        """Clients that have begun to write."""
        load = Load(server, self.state, self.chance, allowed)
        until(lambda: load.acknowledged() > 200, load, "no writes")
        return load

    def restart(self):
        """Without faults: everything is there, and it works."""
        server = self.start()
        client = server.resp()
        expect(client.call("SET", "again", "x") == "OK" and client.call("DEL", "again") == 1, "writes after a restart")
        expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def end(server, what):
    """SIGTERM, whatever is wrong at that moment; returns the exit status."""
    os.kill(server.pid(), signal.SIGTERM)
    try:
        return server.process.wait(END_S)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{what}: the server does not end; log:\n{server.log()}") from None


def until(condition, load, what):
    """Waits for it, and sees to it that no client has met anything meanwhile."""
    limit = time.monotonic() + END_S
    while not condition():
        load.check()
        expect(time.monotonic() < limit, what)
        time.sleep(0.01)

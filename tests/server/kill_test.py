"""kill -9 at random moments, also while the server starts: each restart has every acknowledged change, and nothing that was not sent.

Six writers, of both protocols, pipeline writes into a server with so little memory that it flushes and compacts all the time; two readers look on. What must be
there is in a file (expected_state.py) that outlives every server. The mode of sync changes from round to round, on the same folder: kill -9 loses nothing
acknowledged in any of them. Every few rounds kvstore_tool verifies what the kill left.

    kill_test.py --rounds 2000 --seed 7        the long form; the last line sums up, and a failure names seed and round
"""
import argparse
import math
import os
import random
import subprocess
import threading
import time

from expected_state import ExpectedState, Violation, describe
from support import Resp, Server, Text, expect, program, work_folder

KEYS = 60  # of a writer
WRITERS = 6
READERS = 2
MODES = ("always", "interval:20", "os")
PIPELINES = (1, 1, 4, 16, 64)
OPTIONS = ("--memory", "1M", "--threads", "2", "--pool-threads", "2")
VERIFY_EVERY = 8  # rounds


class Writer(threading.Thread):
    """Writes until the server is gone."""

    def __init__(self, server, state, number, chance):
        super().__init__()
        self.server, self.state, self.number = server, state, number
        self.random = random.Random(chance.getrandbits(64))
        self.acknowledged = 0
        self.failure = None

    def run(self):
        try:
            client = self.server.text() if self.state.is_text(self.number) else self.server.resp()
            if isinstance(client, Text):
                client.call("EXISTS", "w")  # decides on the protocol
            while True:
                self.write(client)
        except OSError:
            pass
        except AssertionError as failure:
            self.failure = failure

    def choose(self):
        """Indexes of the keys of a few commands; a command of two changes both or none."""
        commands, taken = [], {}
        for _ in range(self.random.choice(PIPELINES)):
            index, other = self.random.sample(range(KEYS), 2)
            both = [index, other] if self.random.random() < 0.2 else [index]
            if any(self.is_deletion(each, taken) for each in both):
                both = [index]
            for each in both:
                taken[each] = taken.get(each, 0) + 1
            commands.append(both)
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

    def write(self, client):
        words = [self.words(command) for command in self.state.begin(self.number, self.choose())]
        done = 0
        try:
            client.socket.sendall(b"".join(client.encode(*each) for each in words))
            for each in words:
                reply = client.receive()
                expect(reply == "OK" or (each[0] == b"DEL" and reply in (0, 1, None)), f"{each[:2]} got {reply!r}")
                done += 1
        finally:
            self.state.acknowledge(self.number, done)
            self.acknowledged += done


class Reader(threading.Thread):
    """Reads keys until the server is gone: each value must be one that could be there between the question and the answer."""

    def __init__(self, server, state, chance):
        super().__init__()
        self.server, self.state = server, state
        self.random = random.Random(chance.getrandbits(64))
        self.work = {"engine_flushes": 0, "engine_compactions": 0}
        self.reads = 0
        self.failure = None

    def run(self):
        try:
            client = self.server.resp()
            while True:
                for _ in range(20):
                    self.read(client)
                self.note_work(client.call("INFO", "stats").decode())
        except OSError:
            pass
        except AssertionError as failure:
            self.failure = failure

    def read(self, client):
        writer, index = self.random.randrange(WRITERS), self.random.randrange(KEYS)
        committed, first, _ = self.state.numbers(writer, index)
        value = client.call("GET", self.state.key(writer, index))
        end = self.state.numbers(writer, index)[2]
        if value not in (self.state.change(writer, index, number) for number in (committed, *range(first, end))):
            key = self.state.key(writer, index)
            raise Violation(f"{key.decode()} was read as {describe(key, value)}, but it is change {committed} or one of {first} to {end - 1}")
        self.reads += 1

    def note_work(self, info):
        for line in info.splitlines():
            name, _, value = line.partition(":")
            if name in self.work:
                self.work[name] = int(value)


class Run:
    def __init__(self, seed, folder, options):
        self.chance = random.Random(seed)
        self.folder, self.options = folder, (*OPTIONS, *options)
        self.state = ExpectedState(folder + "/expected", seed, WRITERS, KEYS)
        self.data = folder + "/data"
        self.start_s = 0.05  # how long a start takes
        self.acknowledged = self.reads = self.killed_starts = self.verified = 0
        self.work = {}

    def start(self, mode):
        """A server that is ready; before it, perhaps, some that were killed on the way there."""
        while self.chance.random() < 0.25:
            server = Server(*self.options, "--sync", mode, folder=self.data, awaits_ready=False)
            time.sleep(self.chance.random() * 1.3 * self.start_s)
            server.kill()
            self.killed_starts += 1
        begin = time.monotonic()
        server = Server(*self.options, "--sync", mode, folder=self.data)
        self.start_s += (time.monotonic() - begin - self.start_s) / 4
        return server

    def check(self, server):
        """All keys through both protocols, and what a scan says of them."""
        resp, text = server.resp(), server.text()
        keys = set()
        for writer in range(WRITERS):
            names = [self.state.key(writer, index) for index in range(KEYS)]
            if self.state.is_text(writer):
                text.socket.sendall(b"".join(Text.encode("GET", name) for name in names))
                found = [text.receive() for _ in names]
            else:
                found = resp.call("MGET", *names)
            self.state.settle(writer, found)
            keys.update(name for name, value in zip(names, found) if value is not None)
        scanned = resp.call("RANGE", "", "")[::2]
        expect(scanned == sorted(keys), f"a scan gives {len(scanned)} keys, GET {len(keys)}; "
               f"they differ in {sorted(keys.symmetric_difference(scanned))[:5]}")
        expect(resp.call("COUNT", "", "") == len(keys), "COUNT")
        resp.close()
        text.close()

    def load(self, server):
        """Writes and reads until the kill."""
        readers = [Reader(server, self.state, self.chance) for _ in range(READERS)]
        writers = [Writer(server, self.state, number, self.chance) for number in range(WRITERS)]
        threads = readers + writers
        for thread in threads:
            thread.start()
        time.sleep(self.chance.choice((0.0, 0.02, 0.1, 0.3)) + self.chance.random() * 0.1)
        server.kill()
        for thread in threads:
            thread.join()
        self.acknowledged += sum(writer.acknowledged for writer in writers)
        self.reads += sum(reader.reads for reader in readers)
        for name in readers[0].work:
            self.work[name] = self.work.get(name, 0) + max(reader.work[name] for reader in readers)
        for thread in threads:
            if thread.failure is not None:
                raise thread.failure

    def verify(self):
        done = subprocess.run([program("kvstore_tool"), "verify", self.data], capture_output=True, text=True, timeout=60, check=False)
        expect(done.returncode == 0, f"kvstore_tool verify: {done.returncode}\n{done.stdout}{done.stderr}")
        self.verified += 1

    def round(self, number):
        server = self.start(MODES[number % len(MODES)])
        self.check(server)
        self.load(server)
        if number % VERIFY_EVERY == 0:
            self.verify()

    def finish(self):
        server = Server(*self.options, folder=self.data)
        self.check(server)
        expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")
        self.verify()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--soak", action="store_true", help="as many rounds as fit in KVS_SOAK_MINUTES, by default 10")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--option", action="append", default=[], help="of the server")
    parser.add_argument("--progress", type=int, default=100, help="a line after so many rounds")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    begin = time.monotonic()
    run = Run(arguments.seed, work_folder(), arguments.option)
    end = begin + 60 * float(os.environ.get("KVS_SOAK_MINUTES", "10")) if arguments.soak else math.inf
    rounds = 0
    while time.monotonic() < end if arguments.soak else rounds < arguments.rounds:
        try:
            run.round(rounds)
        except AssertionError as failure:
            kept = os.path.abspath(f"kill_test.{arguments.seed}.kept")
            os.rename(run.folder, kept)
            raise AssertionError(f"seed {arguments.seed}, round {rounds}: {failure} (folder kept: {kept})") from failure
        rounds += 1
        if rounds % arguments.progress == 0:
            print(f"{rounds} rounds, {run.acknowledged} acknowledged, {time.monotonic() - begin:.0f} s", flush=True)
    run.finish()
    expect(run.acknowledged > rounds, "hardly anything was written")
    print(f"kill_test: seed {arguments.seed}, {rounds} rounds and {run.killed_starts} starts killed in {time.monotonic() - begin:.0f} s: "
          f"{run.acknowledged} commands acknowledged, {run.reads} reads, {run.work.get('engine_flushes', 0)} flushes, "
          f"{run.work.get('engine_compactions', 0)} compactions, {run.verified} folders verified; nothing lost, nothing wrong")


if __name__ == "__main__":
    main()

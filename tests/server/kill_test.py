"""kill -9 at random moments: after each restart every acknowledged write is there, and nothing that was not written.

Each connection owns some keys and writes values that never repeat. For a key it remembers the last acknowledged state and the states that
were sent after that: after a kill the key must be in one of these, and all later reads must agree with the first.
"""
import argparse
import random
import threading
import time

from support import Server, expect, work_folder

KEYS = 40         # of a connection
CONNECTIONS = 6
ABSENT = None


class Writer:
    """One connection, its keys, and what it knows of them over all rounds."""

    def __init__(self, number, seed):
        self.number = number
        self.random = random.Random(seed * 1000 + number)
        self.possible = {self.key(i): [ABSENT] for i in range(KEYS)}
        self.serial = 0
        self.acknowledged = 0

    def key(self, index):
        return b"w%d-%d" % (self.number, index)

    def command(self):
        """A random write: its words, and the state that it leaves each of its keys in."""
        self.serial += 1
        key = self.key(self.random.randrange(KEYS))
        value = b"%d-%d-" % (self.number, self.serial) + b"x" * self.random.choice((0, 20, 100, 4000))
        kind = self.random.random()
        if kind < 0.2:
            return (b"DEL", key), {key: ABSENT}
        if kind < 0.4:
            other = self.key(self.random.randrange(KEYS))
            return (b"MSET", key, value, other, value), {key: value, other: value}
        return (b"SET", key, value), {key: value}

    def write(self, server):
        """Pipelines writes until the server is gone."""
        try:
            client = server.resp()
            while True:
                pipeline = [self.command() for _ in range(self.random.choice((1, 1, 4, 16)))]
                for _, states in pipeline:
                    for key, state in states.items():
                        self.possible[key].append(state)
                client.socket.sendall(b"".join(client.encode(*words) for words, _ in pipeline))
                for words, states in pipeline:
                    reply = client.receive()
                    expect(reply == "OK" or (words[0] == b"DEL" and reply in (0, 1)), f"{words[:2]} got {reply!r}")
                    self.acknowledge(states)
        except (ConnectionError, OSError):
            pass

    def acknowledge(self, states):
        """What came before an acknowledged write of a key is over."""
        self.acknowledged += 1
        for key, state in states.items():
            known = self.possible[key]
            known[:known.index(state, 1 if len(known) > 1 else 0)] = []

    def check(self, client, round_number):
        """Every key must be in a possible state; from now on that is the only one."""
        keys = list(self.possible)
        for key, value in zip(keys, client.call("MGET", *keys)):
            expect(value in self.possible[key],
                   f"round {round_number}: {key} is {value!r:.60}, possible are {[str(s)[:40] for s in self.possible[key]]}")
            self.possible[key] = [value]


def one_round(writers, folder, options, chance, number):
    server = Server(*options, folder=folder)
    client = server.resp()
    for writer in writers:
        writer.check(client, number)
    count = client.call("COUNT", "", "")
    expected = sum(states[0] is not ABSENT for writer in writers for states in writer.possible.values())
    expect(count == expected, f"round {number}: COUNT says {count}, the keys are {expected}")
    client.close()
    threads = [threading.Thread(target=writer.write, args=(server,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(chance.choice((0.0, 0.02, 0.1, 0.3)) + chance.random() * 0.1)
    server.kill()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--option", action="append", default=[], help="of the server")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    writers = [Writer(number, arguments.seed) for number in range(CONNECTIONS)]
    folder = work_folder() + "/data"
    modes = (["--sync", "always"], ["--sync", "os"], ["--sync", "interval:20"])
    for number in range(arguments.rounds):
        one_round(writers, folder, arguments.option + modes[number % len(modes)], chance, number)
    server = Server(*arguments.option, folder=folder)
    client = server.resp()
    for writer in writers:
        writer.check(client, "last")
    expect(server.stop() == 0, "exit status")
    total = sum(writer.acknowledged for writer in writers)
    expect(total > arguments.rounds, "hardly anything was written")
    print(f"{arguments.rounds} rounds, {total} acknowledged commands, none lost, none resurrected")


if __name__ == "__main__":
    main()

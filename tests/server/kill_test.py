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
import shutil
import subprocess
import time

from expected_state import ExpectedState
from load import MODES, SMALL, Load, check_keys
from support import Server, expect, program, work_folder

KEYS = 60  # of a writer
WRITERS = 6
VERIFY_EVERY = 8  # rounds


class Run:
    def __init__(self, seed, folder, options):
        self.chance = random.Random(seed)
        self.folder, self.options = folder, (*SMALL, *options)
        self.state = ExpectedState(folder + "/expected", seed, WRITERS, KEYS)
        self.data = folder + "/data"
        self.start_s = 0.05  # how long a start takes
        self.acknowledged = self.reads = self.killed_starts = self.verified = self.flushes = self.compactions = 0

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

    def load(self, server):
        """Writes and reads until the kill."""
        load = Load(server, self.state, self.chance)
        time.sleep(self.chance.choice((0.0, 0.02, 0.1, 0.3)) + self.chance.random() * 0.1)
        server.kill()
        load.join()
        self.acknowledged += load.acknowledged()
        self.reads += load.reads()
        self.flushes += load.counter("engine_flushes")
        self.compactions += load.counter("engine_compactions")

    def verify(self):
        done = subprocess.run([program("kvstore_tool"), "verify", self.data], capture_output=True, text=True, timeout=60, check=False)
        expect(done.returncode == 0, f"kvstore_tool verify: {done.returncode}\n{done.stdout}{done.stderr}")
        self.verified += 1

    def round(self, number):
        server = self.start(MODES[number % len(MODES)])
        check_keys(server, self.state)
        self.load(server)
        if number % VERIFY_EVERY == 0:
            self.verify()

    def finish(self):
        server = Server(*self.options, folder=self.data)
        check_keys(server, self.state)
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
            kept = os.path.join(os.path.dirname(run.folder), f"kill_test.{arguments.seed}.kept")
            shutil.rmtree(kept, True)
            os.rename(run.folder, kept)
            raise AssertionError(f"seed {arguments.seed}, round {rounds}: {failure} (folder kept: {kept})") from failure
        rounds += 1
        if rounds % arguments.progress == 0:
            print(f"{rounds} rounds, {run.acknowledged} acknowledged, {time.monotonic() - begin:.0f} s", flush=True)
    run.finish()
    expect(run.acknowledged > rounds, "hardly anything was written")
    print(f"kill_test: seed {arguments.seed}, {rounds} rounds and {run.killed_starts} starts killed in {time.monotonic() - begin:.0f} s: "
          f"{run.acknowledged} commands acknowledged, {run.reads} reads, {run.flushes} flushes, "
          f"{run.compactions} compactions, {run.verified} folders verified; nothing lost, nothing wrong")


if __name__ == "__main__":
    main()

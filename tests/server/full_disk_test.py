"""A real full disk: the server on a small tmpfs, mounted in a name space of its own, which needs no privileges where the kernel allows it.

    KVS_TEST_SEED=S full_disk_test.py [TEST...]
"""
import atexit
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time

from load import MODES, Case, check_keys, end, until
from support import Server, expect, run_tests, skip, work_folder

DISK_BYTES = 24 << 20
# What the ballast leaves free, so that the end of the disk is met at each stage: log, piece, flush, compaction, manifest.
LEFT_BYTES = (0, 4096, 20000, 66000, 70000, 140000, 210000, 280000)
ROUNDS = 3
SEED = int(os.environ.get("KVS_TEST_SEED", str(int(time.time()))))
chance = random.Random(SEED)


class Disk:
    """The tmpfs. Made once; what a test leaves is removed before the next."""

    path = None

    @classmethod
    def folder(cls):
        if cls.path is None:
            cls.path = work_folder()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", cls.path], check=True)
            atexit.register(subprocess.run, ["umount", "-l", cls.path], check=False)  # before the folder is removed
        for name in os.listdir(cls.path):
            shutil.rmtree(os.path.join(cls.path, name), True)
        cls.free()
        return os.path.join(cls.path, "database")

    @classmethod
    def fill(cls, left):
        with open(os.path.join(cls.path, "ballast"), "wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(b"x" * 4096)
            ballast.truncate(max(ballast.tell() - left, 0))

    @classmethod
    def free(cls):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(cls.path, "ballast"))


def make_case(mode):
    folder = Disk.folder()
    os.mkdir(folder)
    return Case(chance, mode, folder=folder)


def fill_until_refused(load, left):
    Disk.fill(left)
    until(load.errors, load, f"with {left} bytes left no write is refused")
    reads = load.reads()
    until(lambda: load.reads() > reads + 100, load, "reads do not go on")


def server_full_disk_is_told_and_writes_come_back():
    """A full disk must cost writes only, and only as long as it is full."""
    for mode in MODES:
        case = make_case(mode)
        server = case.start()
        load = case.load(server, "NOSPACE")
        for _ in range(ROUNDS):
            fill_until_refused(load, chance.choice(LEFT_BYTES))
            Disk.free()
            before = load.acknowledged()
            until(lambda before=before: load.acknowledged() > before + 200, load, f"in {mode}: writes do not come back")
        expect(end(server, f"full disk in {mode}") == 0, f"exit status not 0; log:\n{server.log()}")
        load.join()
        case.restart()


def start_while_full(case):
    """It serves what it has, or says why it cannot."""
    server = Server(*case.options, folder=case.data, awaits_ready=False)
    if server.becomes_ready():
        check_keys(server, case.state)
        end(server, "started while the disk was full")
        return True
    expect("No space left on device" in server.log(), f"a start on a full disk: {server.log()}")
    return False


def server_full_disk_end_and_kill_lose_nothing():
    """However the server goes while the disk is full, it ends, and what was acknowledged is there when there is room again."""
    served = starts = 0
    for mode in MODES:
        case = make_case(mode)
        for _ in range(ROUNDS):
            server = case.start()
            load = case.load(server, "NOSPACE")
            fill_until_refused(load, chance.choice(LEFT_BYTES))
            if chance.random() < 0.5:
                server.kill()
            else:
                end(server, f"full disk in {mode}")
            load.join()
            starts += 1
            served += start_while_full(case)
            Disk.free()
        case.restart()
    print(f"    {served} of {starts} starts on a full disk served")


def ask(server, seconds):
    """Writes in both protocols for a while, however short the disk is: each is answered. The errors that came."""
    errors, limit = set(), time.monotonic() + seconds
    clients = server.resp(), server.text()
    clients[1].call("EXISTS", "probe")  # decides on the protocol
    while time.monotonic() < limit:
        for client in clients:
            reply = client.call("SET", "probe", "x" * 100)
            expect(reply == "OK" or str(reply).startswith("NOSPACE "), f"a write without room: {reply!r}")
            if reply != "OK":
                errors.add(str(reply))
        time.sleep(0.01)
    for client in clients:
        client.close()
    return errors


def server_started_without_room_answers_every_write():
    """After a kill a mode with late syncs flushes first; a client that writes meanwhile must be told where there is no room for that, not kept waiting."""
    folder = Disk.folder()
    data = os.path.join(folder, "data")
    os.mkdir(folder)
    options = ("--memory", "16M", "--threads", "2", "--pool-threads", "2", "--sync", "interval:20")
    server = Server(*options, folder=data)
    client = server.resp()
    for number in range(150):
        expect(client.call("SET", f"big{number}", chance.randbytes(8000)) == "OK", "writes with room")
    server.kill()
    errors = set()
    for left in range(0, 1 << 20, 128 << 10):
        Disk.fill(left)
        server = Server(*options, folder=data, awaits_ready=False)
        if server.becomes_ready():
            errors |= ask(server, 0.5)
        server.kill()
        Disk.free()
    expect(any("has to be flushed first" in error for error in errors), f"no write was refused for the sake of a flush: {errors}")
    server = Server(*options, folder=data)
    expect(ask(server, 0.1) == set(), "writes do not come back")
    expect(end(server, "with room again") == 0, f"exit status not 0; log:\n{server.log()}")


def enter_name_space():
    """Becomes a process that may mount."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode != 0:
        skip("unshare -Urm is not allowed here")
    os.environ["KVS_TEST_MAY_MOUNT"] = "1"
    os.execvp("unshare", ["unshare", "-Urm", sys.executable, *sys.argv])


if __name__ == "__main__":
    if "KVS_TEST_MAY_MOUNT" not in os.environ:
        enter_name_space()
    print(f"seed {SEED} (KVS_TEST_SEED)", flush=True)
    run_tests([server_full_disk_is_told_and_writes_come_back, server_full_disk_end_and_kill_lose_nothing,
               server_started_without_room_answers_every_write])

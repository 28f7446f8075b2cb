"""Failing system calls of the real server, by strace: syncs, writes, preallocation, reads, renames, opens, for good and once, while it serves and while it starts.

While it serves, clients write and read by the file of expected values (load.py): every write is answered, with OK or a clear error; what was refused never
happens; nothing is acknowledged after an UNKNOWN; reads go on; INFO says how it is; the server ends in bounded time, with the fault still there; and after a restart nothing that
was acknowledged is missing. While it starts, it serves, or ends with one clear line, and the next start has everything.

    inject_test.py [--seed S] [TEST...]
"""
import os
import random
import time

from inject import TRACED, Injection, can_trace, wrapper
from load import END_S, MODES, Case, end, until
from support import ReplyError, Server, expect, run_tests, skip

# So many calls of each kind fail in turn at a start, in each mode of the start of threads and of so many kinds by chance.
START_DEPTH = int(os.environ.get("KVS_TEST_START_DEPTH", "7"))
START_KINDS = int(os.environ.get("KVS_TEST_START_KINDS", "3"))
START_CALLS = ("fdatasync", "fsync", "pwrite64", "fallocate", "rename", "unlink")
READ_KEYS, READ_VALUE = 600, 10000
SEED = int(os.environ.get("KVS_TEST_SEED", str(int(time.time()))))
chance = random.Random(SEED)


def serve_with(faults, mode, allowed, is_permanent=False, heals=False, must_fail=True):
    """Load, a fault in the middle of it, an end while it lasts, or after the writes have come back."""
    what = f"{' '.join(faults)} in {mode}"
    case = Case(chance, mode)
    server = case.start()
    load = case.load(server, *allowed)
    injection = Injection(server.pid(), *faults)
    if must_fail:
        until(load.errors, load, f"{what}: no write has met the fault")
    else:
        time.sleep(0.5)
    reads = load.reads()
    until(lambda: load.reads() > reads + 100, load, f"{what}: reads do not go on")
    health = server.resp().call("INFO", "persistence").decode()
    if is_permanent:
        expect("health:ok" not in health, f"{what}: INFO says that all is well")
        before = load.acknowledged_writes()
        time.sleep(0.2)
        expect(load.acknowledged_writes() == before, f"{what}: a write was acknowledged after the failure")
    if heals:
        injection.heal()
        before = load.acknowledged()
        until(lambda: load.acknowledged() > before + 100, load, f"{what}: writes do not come back")
    end(server, what)
    injection.heal()
    load.join()
    case.restart()


def server_failing_sync_acknowledges_nothing_more():
    """What a failed sync has left in the page cache is unknown: neither that write nor a later one may be called safe."""
    for mode in MODES:
        for error in {"EIO", chance.choice(("EIO", "ENOSPC"))}:
            serve_with([f"fdatasync:error={error}"], mode, ("UNKNOWN", "POISONED", "IOERR", "NOSPACE"), is_permanent=True)


def server_sync_that_fails_once_is_not_tried_again():
    """The second try of a sync succeeds although the pages are gone: the kernel reports a failure only once."""
    for mode in MODES:
        serve_with(["fdatasync:error=EIO:when=2"], mode, ("UNKNOWN", "POISONED", "IOERR"), must_fail=mode == "always",
                   is_permanent=mode == "always")


def server_failing_write_is_told():
    """A log or manifest that cannot be written ends writing, not reading."""
    for mode in MODES:
        serve_with(["pwrite64:error=EIO"], mode, ("UNKNOWN", "POISONED", "IOERR"), is_permanent=True)


def server_no_room_is_told_and_writes_come_back():
    """Preallocation is where a full disk is met: nothing was written yet, so nothing is unknown, and nothing needs a restart."""
    for mode in MODES:
        serve_with(["fallocate:error=ENOSPC"], mode, ("NOSPACE",), heals=True)
        serve_with(["fallocate:error=ENOSPC"], mode, ("NOSPACE",))


def server_folder_that_fails_is_survived():
    """Descriptors that run out, folders that do not sync, files that cannot be renamed or removed."""
    for call, errors in (("openat", ("EMFILE", "EIO")), ("fsync", ("EIO",)), ("rename", ("EIO",)), ("unlink", ("EIO",))):
        for error in errors:
            serve_with([f"{call}:error={error}"], chance.choice(MODES), ("UNKNOWN", "POISONED", "IOERR", "NOSPACE"), must_fail=False)


def value_of(number):
    """Of no use to a compressor, so that the keys take many times the memory."""
    return random.Random(number).randbytes(READ_VALUE)


def read_all(server, allowed):
    """Every key is what it was, or its error is one of those allowed; returns how many errors came."""
    client = server.resp()
    order = list(range(READ_KEYS))
    chance.shuffle(order)
    errors = 0
    for number in order:
        reply = client.call("GET", f"key{number:06}")
        if isinstance(reply, ReplyError):
            expect(str(reply).split()[0] in allowed, f"GET key{number:06} got {reply!r}")
            errors += 1
        else:
            expect(reply == value_of(number), f"key{number:06} was read with {'no' if reply is None else 'another'} value")
    return errors


def server_failing_read_is_told_and_never_taken_for_absence():
    """A disk that cannot be read now must not look like a key that is not there, and must not end what does not read it."""
    for fault in ("pread64:error=EIO", f"pread64:error=EIO:when={chance.randint(1, 20)}+{chance.randint(2, 9)}"):
        server = Server("--memory", "1M", "--sync", "os", "--threads", "2", "--pool-threads", "2")
        client = server.resp()
        for number in range(READ_KEYS):
            expect(client.call("SET", f"key{number:06}", value_of(number)) == "OK", "SET")
        expect(read_all(server, ()) == 0, "errors without a fault")
        injection = Injection(server.pid(), fault)
        expect(read_all(server, ("IOERR",)) > 0, f"{fault}: no GET has met the fault")
        scan = client.call("RANGE", "", "")
        expect(isinstance(scan, ReplyError) and str(scan).startswith("IOERR "), f"{fault}: a scan gave {scan!r:.80}")
        reply = client.call("SET", "beside", "x")
        expect(reply == "OK" or (isinstance(reply, ReplyError) and str(reply).startswith("IOERR ")), f"{fault}: SET got {reply!r}")
        injection.heal()
        expect(read_all(server, ()) == 0, f"{fault}: errors after it was over")
        expect(client.call("GET", "beside") == (b"x" if reply == "OK" else None), "what was written meanwhile")
        expect(len(client.call("RANGE", "key", "")) == 2 * READ_KEYS, "a scan after it was over")
        expect(client.call("SET", "after", "x") == "OK", "a write after it was over")
        expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def server_failing_early_writeback_is_a_failing_sync():
    """The kernel tells a failed writeback once: where it was begun before the sync, the sync must not find that all is well."""
    server = Server("--memory", "1M", "--sync", "os")
    client = server.resp()
    injection = Injection(server.pid(), "sync_file_range:error=EIO")
    for number in range(READ_KEYS // 6):
        client.call("SET", f"key{number:06}", value_of(number))
    limit = time.monotonic() + END_S
    while "its writeback has failed" not in server.log():
        expect(time.monotonic() < limit, f"no flush has failed; log:\n{server.log()}")
        time.sleep(0.01)
    injection.heal()
    for number in range(READ_KEYS // 6):
        while client.call("SET", f"key{number:06}", value_of(number)) != "OK":  # until the flush has been tried again
            expect(time.monotonic() < limit, "writes do not come back")
            time.sleep(0.01)
    for number in range(READ_KEYS // 6):
        expect(client.call("GET", f"key{number:06}") == value_of(number), "a read after it was over")
    expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def server_slow_sync_holds_up_neither_reads_nor_the_end():
    """A disk that takes its time is not a fault: no error may come of it."""
    for mode in ("always", chance.choice(MODES[1:])):
        serve_with(["fdatasync:delay_enter=200000"], mode, (), must_fail=False)


def start_with(case, fault, folder):
    """A start that meets a fault. Returns whether it did."""
    trace = os.path.join(folder, "trace")
    command = wrapper(fault)
    command[command.index(os.devnull)] = trace
    server = Server(*case.options, folder=case.data, wrapper=command, env=TRACED, awaits_ready=False)
    if server.becomes_ready():
        expect(server.resp().call("PING") == "PONG", f"{fault} at a start: PING")
        end(server, f"{fault} at a start")
    else:
        lines = server.log().splitlines()
        expect(lines and lines[-1].startswith(("kvstore_server: cannot open ", "kvstore_server: cannot start: ")), f"{fault} at a start: no clear line but {lines[-3:]}")
    with open(trace, encoding="utf-8") as calls:
        return "INJECTED" in calls.read()


def server_failing_call_at_start_refuses_or_serves():
    """An open that meets a fault must not destroy what the next one needs, nor wait for ever."""
    for mode in MODES:
        case = Case(chance, mode)
        server = case.start()
        load = case.load(server)
        server.kill()
        load.join()
        for call in ("clone3", *chance.sample(START_CALLS, START_KINDS)):
            error = "EAGAIN" if call == "clone3" else chance.choice(("EIO", "ENOSPC"))
            for number in range(1, START_DEPTH + 1):
                if not start_with(case, f"{call}:error={error}:when={number}", os.path.dirname(case.data)):
                    break
                if number % 3 == 0:
                    case.start().kill()
        case.restart()


if __name__ == "__main__":
    if not can_trace():
        skip("strace is not installed, or may not trace here")
    print(f"seed {SEED} (KVS_TEST_SEED)", flush=True)
    run_tests([server_failing_sync_acknowledges_nothing_more, server_sync_that_fails_once_is_not_tried_again,
               server_failing_write_is_told, server_no_room_is_told_and_writes_come_back, server_folder_that_fails_is_survived,
               server_failing_read_is_told_and_never_taken_for_absence,
               server_failing_early_writeback_is_a_failing_sync, server_slow_sync_holds_up_neither_reads_nor_the_end,
               server_failing_call_at_start_refuses_or_serves])

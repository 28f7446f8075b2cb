"""Disks that are slow, and disks that fail: strace delays every fdatasync, or makes it fail."""
import multiprocessing
import os
import selectors
import time

from inject import TRACED, can_trace, wrapper
from support import ReplyError, Server, expect, run_tests, skip

DELAY_US = 50000
FORK = multiprocessing.get_context("fork")
GOOD_SYNCS = 60  # then they fail
TURNS, TURN_S = 8, 2.0
READERS, WRITERS = 2, 8


def server_with_disk(fault, *options, **arguments):
    """A server whose calls of fdatasync meet the fault."""
    return Server("--sync", "always", *options, wrapper=wrapper(f"fdatasync:{fault}"), env=TRACED, **arguments)


def read_for(server, seconds, pipe):
    """Sends the times of GETs, in seconds, through the pipe."""
    client = server.resp()
    request = client.encode("GET", "known")
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        client.socket.sendall(request)
        expect(client.receive() == b"v" * 100, "GET")
        times.append(time.perf_counter() - begin)
    pipe.send(times)


def write_until(stop, server, pipe):
    """Keeps WRITERS connections waiting for syncs; sends how many writes were acknowledged, and in how many seconds.

    One thread of low priority for all, that the times measured beside it are the server's and not those of Python.
    """
    os.nice(19)
    request = server.resp().encode("SET", "written", "x")
    writers = selectors.DefaultSelector()
    begin, count = time.monotonic(), 0
    for client in [server.connect() for _ in range(WRITERS)]:
        writers.register(client, selectors.EVENT_READ)
        client.sendall(request)
    while not stop.is_set():
        for key, _ in writers.select(1):
            expect(key.fileobj.recv(100) == b"+OK\r\n", "SET")
            key.fileobj.sendall(request)
            count += 1
    pipe.send((count, time.monotonic() - begin))


def start(function, *arguments):
    """A process of its own, as threads of one would wait for its interpreter and not for the server; and where it answers."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=function, args=(*arguments, theirs))
    process.start()
    return process, ours


def answer_of(process, pipe):
    expect(pipe.poll(TURN_S + 30), "a process has ended without a word")
    answer = pipe.recv()
    process.join()
    return answer


def measure(server):
    """Times of GETs by several readers."""
    readers = [start(read_for, server, TURN_S) for _ in range(READERS)]
    return [each for reader in readers for each in answer_of(*reader)]


def measure_beside_writers(server):
    """Times of GETs, and how many writes a second waited for syncs meanwhile."""
    stop = FORK.Event()
    writer = start(write_until, stop, server)
    time.sleep(0.2)
    times = measure(server)
    stop.set()
    count, seconds = answer_of(*writer)
    return times, count / seconds


def quantile(times, part):
    return sorted(times)[int(len(times) * part)]


def server_get_beside_slow_syncs_is_as_fast_as_alone():
    """A page that only reads must not get slow because another one writes.

    Measured in turns without and with writers on one server. Where GETs wait for syncs no turn is good: a sync takes fifty times
    as long as a GET, and one is always under way. What else the machine does may spoil a turn; so one that is good is enough.
    """
    server = server_with_disk(f"delay_enter={DELAY_US}", "--threads", "1")
    expect(server.resp().call("SET", "known", b"v" * 100) == "OK", "SET")
    good = False
    for _ in range(TURNS):
        alone = measure(server)
        beside, writes = measure_beside_writers(server)
        print(f"    {len(alone)} and {len(beside)} GETs, {writes:.0f} writes/s")
        expect(0 < writes < WRITERS * 1.1e6 / DELAY_US, "the syncs were not slowed down, or nobody wrote")
        rows = [(part, quantile(alone, part), quantile(beside, part)) for part in (0.5, 0.99)]
        for part, without, with_writers in rows:
            print(f"    p{part * 100:g} of GETs: {without * 1e6:.0f} us alone, {with_writers * 1e6:.0f} us beside writers")
        good = all(with_writers < 2 * without for _, without, with_writers in rows)
        if good:
            break
    expect(good, "in no turn GETs beside writers took less than twice as long as alone")
    expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def server_failing_sync_is_told_and_survived():
    """A write whose sync failed is neither stored nor lost; what was acknowledged before must be there, then and later."""
    server = server_with_disk(f"error=EIO:when={GOOD_SYNCS}+")
    client = server.resp()
    acknowledged, reply = -1, "OK"
    for number in range(10 * GOOD_SYNCS):
        reply = client.call("SET", "k", number)
        if reply != "OK":
            break
        acknowledged = number
    expect(isinstance(reply, ReplyError) and str(reply).startswith(("UNKNOWN ", "POISONED ")), f"the failed write got {reply!r}")
    expect(acknowledged >= 0, "no write was acknowledged")
    other = server.resp()
    for reader in (client, other):
        expect(reader.call("GET", "k") == b"%d" % acknowledged, "what was acknowledged last is not read")
        reply = reader.call("SET", "j", "x")
        expect(isinstance(reply, ReplyError) and str(reply).startswith("POISONED "), f"a later write got {reply!r}")
    expect("health:ok" not in other.call("INFO", "persistence").decode(), "INFO says that all is well")
    server.kill()
    again = Server(folder=server.folder)
    value = again.resp().call("GET", "k")
    expect(value in (b"%d" % acknowledged, b"%d" % (acknowledged + 1)), f"after a restart k is {value!r}")
    expect(again.resp().call("GET", "j") is None, "a refused write is there")
    expect(again.stop() == 0, f"exit status not 0; log:\n{again.log()}")


if __name__ == "__main__":
    if not can_trace():
        skip("strace is not installed, or may not trace here")
    run_tests([server_get_beside_slow_syncs_is_as_fast_as_alone, server_failing_sync_is_told_and_survived])

"""Disks that are slow, and disks that fail: strace delays every fdatasync, or makes it fail."""
import threading
import time

from inject import TRACED, can_trace, wrapper
from support import ReplyError, Server, expect, run_tests, skip

DELAY_US = 50000
GOOD_SYNCS = 60  # then they fail
TURNS, TURN_S = 3, 2.0
READERS, WRITERS = 2, 8


def server_with_disk(fault, *options, **arguments):
    """A server whose calls of fdatasync meet the fault."""
    return Server("--sync", "always", *options, wrapper=wrapper(f"fdatasync:{fault}"), env=TRACED, **arguments)


def read_for(server, seconds, times):
    client = server.resp()
    request = client.encode("GET", "known")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        client.socket.sendall(request)
        expect(client.receive() == b"v" * 100, "GET")
        times.append(time.perf_counter() - begin)


def write_for(server, number, stop, count):
    client = server.resp()
    while not stop.is_set():
        expect(client.call("SET", f"written{number}", count[number]) == "OK", "SET")
        count[number] += 1


def measure(server):
    """Times of GETs, from one thread each."""
    lists = [[] for _ in range(READERS)]
    threads = [threading.Thread(target=read_for, args=(server, TURN_S, times)) for times in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for times in lists for each in times]


def quantile(times, part):
    return sorted(times)[int(len(times) * part)]


def server_get_beside_slow_syncs_is_as_fast_as_alone():
    """A page that only reads must not get slow because another one writes.

    Measured in one run of one server, in turns without and with writers, so that what else the machine does meets both.
    """
    server = server_with_disk(f"delay_enter={DELAY_US}", "--threads", "1")
    expect(server.resp().call("SET", "known", b"v" * 100) == "OK", "SET")
    alone, beside = [], []
    count = [0] * WRITERS
    writing_s = 0.0
    for _ in range(TURNS):
        alone += measure(server)
        stop = threading.Event()
        writers = [threading.Thread(target=write_for, args=(server, i, stop, count)) for i in range(WRITERS)]
        begin = time.monotonic()
        for writer in writers:
            writer.start()
        time.sleep(0.2)
        beside += measure(server)
        stop.set()
        for writer in writers:
            writer.join()
        writing_s += time.monotonic() - begin
    rows = []
    for part in (0.5, 0.99):
        rows.append((part, quantile(alone, part) * 1e6, quantile(beside, part) * 1e6))
        print("    p%g of GETs: %.0f us alone, %.0f us beside writers" % (part * 100, *rows[-1][1:]))
    print(f"    {len(alone)} and {len(beside)} GETs, {sum(count) / writing_s:.0f} writes/s")
    expect(sum(count) / writing_s < WRITERS * 1.1e6 / DELAY_US, "the syncs were not slowed down")
    for part, without, with_writers in rows:
        expect(with_writers < 2 * without, f"p{part * 100:g} is {with_writers / without:.1f} times as long beside writers")
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

"""What the engine does seldom: publish late, refuse for a moment, miss, fail. The engine of fake_engine.h does it on demand."""
import os
import subprocess
import sys
import threading
import time

from support import ReplyError, Server, expect, run_tests

FAKE = "kvstore_server_fake"


def start(*options, **env):
    return Server(*options, name=FAKE, env={f"KVS_FAKE_{name}": str(value) for name, value in env.items()})


def stop(server):
    expect(server.stop() == 0, f"exit status not 0 (values or iterators were not released?); log:\n{server.log()}")


def server_scripts_with_faults_give_same_replies():
    """That a read misses memory, or that a write has to wait, must show in nothing but the time it takes."""
    here = os.path.dirname(os.path.abspath(__file__))
    for faults in ({"MISS_EVERY": 1}, {"BUSY_EVERY": 2}, {"BUSY_EVERY": 3, "MISS_EVERY": 2, "SYNC_MS": 1}):
        env = {**os.environ, "KVS_SERVER": FAKE, **{f"KVS_FAKE_{name}": str(value) for name, value in faults.items()}}
        if "BUSY_EVERY" in faults:  # each costs 20 ms: not at every cut
            env["KVS_TEST_CUTS"] = "10"
        done = subprocess.run([sys.executable, os.path.join(here, "script_test.py"),
                               "server_scripts_any_cut_gives_same_replies"], env=env, timeout=100, check=False)
        expect(done.returncode == 0, f"with {faults}")


def server_reply_unpublished_is_held_and_others_are_not():
    """An OK before the sync would be a lie; a GET that waits for another client's sync would be slow for nothing."""
    server = start("--threads", "1", SYNC_MS=3000)
    writer, reader = server.resp(), server.resp()
    begin = time.monotonic()
    writer.socket.sendall(writer.encode("ECHO", "before") + writer.encode("SET", "k", "new") + writer.encode("GET", "k") +
                          writer.encode("ECHO", "after"))
    expect(writer.receive() == b"before" and time.monotonic() - begin < 1.8, "a reply before the write was held")
    time.sleep(0.05)
    for _ in range(20):
        expect(reader.call("GET", "k") is None, "another client saw a write that is not published")
    expect(time.monotonic() - begin < 2.7, "reads waited for a sync")
    expect(writer.receive() == "OK" and time.monotonic() - begin >= 2.99, "OK came before the sync")
    expect(writer.receive() == b"new" and writer.receive() == b"after", "what came after")
    expect(reader.call("GET", "k") == b"new", "a published write is not seen")
    stop(server)


def server_miss_after_own_write_waits_for_publication():
    """A client reads what it wrote also where the read has to go to the pool, and scans too."""
    server = start(SYNC_MS=100, MISS_EVERY=1)
    client = server.resp()
    client.socket.sendall(b"".join(client.encode(*words) for words in (
        ("SET", "a", "1"), ("GET", "a"), ("SET", "a", "2"), ("MGET", "a", "b"), ("SET", "b", "3"), ("RANGE", "", ""),
        ("DEL", "a", "b"), ("COUNT", "", ""), ("EXISTS", "a"), ("DEL", "a"))))
    wanted = ["OK", b"1", "OK", [b"2", None], "OK", [b"a", b"2", b"b", b"3"], 2, 0, 0, 0]
    got = [client.receive() for _ in wanted]
    expect(got == wanted, f"got {got}")
    stop(server)


def server_delete_of_unpublished_key_counts_it():
    """DEL decides by the newest state, but tells nothing of it before it is safe."""
    server = start("--threads", "1", SYNC_MS=300)
    one, two = server.resp(), server.resp()
    one.send("SET", "k", "v")
    time.sleep(0.05)
    two.send("DEL", "k")
    expect(one.receive() == "OK", "SET")
    expect(two.receive() == 1, "DEL did not see the key")
    expect(one.call("GET", "k") is None, "the key is still there")
    stop(server)


def server_failed_sync_is_told_as_unknown():
    """After a failed sync nobody knows whether the write is there: neither OK nor "not written" would be true."""
    server = start("--threads", "1", FAIL_SYNC=2, SYNC_MS=50)
    writer, reader = server.resp(), server.resp()
    expect(writer.call("SET", "k", "old") == "OK", "the first write")
    words = [("SET", "k", "new"), ("SET", "j", "new"), ("GET", "k"), ("ECHO", "x"), ("DEL", "k")]
    writer.socket.sendall(b"".join(writer.encode(*each) for each in words))
    got = [writer.receive() for _ in words]
    expect([isinstance(reply, ReplyError) for reply in got] == [True, True, True, False, True], f"got {got}")
    expect(all(str(reply).startswith("UNKNOWN ") for reply in got[:3]), f"got {got}")
    for client in (writer, reader):
        expect(client.call("GET", "k") == b"old", "what was published is not read")
        expect(client.call("GET", "j") is None, "what was not published is read")
        reply = client.call("SET", "k", "newer")
        expect(isinstance(reply, ReplyError) and str(reply).startswith("POISONED "), f"a write got {reply}")
        reply = client.call("DEL", "k")
        expect(isinstance(reply, ReplyError) and str(reply).startswith("POISONED "), f"a DEL got {reply}")
        expect(client.call("RANGE", "", "") == [b"k", b"old"], "scans")
    stop(server)


def server_full_disk_is_an_error_and_reads_go_on():
    """A full disk must not stop a server that is mostly read."""
    server = start(NO_SPACE_AT=2)
    client = server.resp()
    expect(client.call("SET", "k", "v") == "OK", "the first write")
    for words in (("SET", "k", "w"), ("DEL", "k"), ("MSET", "a", "1", "b", "2")):
        reply = client.call(*words)
        expect(isinstance(reply, ReplyError) and str(reply).startswith("NOSPACE "), f"{words} got {reply}")
    expect(client.call("GET", "k") == b"v", "reads")
    stop(server)


def server_corrupt_value_is_an_error_of_its_key_only():
    """A damaged block must never be answered with wrong bytes, or with a closed connection."""
    for misses in (0, 1):
        server = start(BAD_KEY="bad", MISS_EVERY=misses)
        client = server.resp()
        expect(client.call("SET", "bad", "x") == "OK" and client.call("SET", "good", "y") == "OK", "SET")
        for words in (("GET", "bad"), ("MGET", "good", "bad"), ("DEL", "bad")):
            reply = client.call(*words)
            expect(isinstance(reply, ReplyError) and str(reply).startswith("CORRUPT "), f"{words} got {reply}")
        expect(client.call("GET", "good") == b"y", "a key beside it")
        stop(server)


def server_busy_engine_stops_writers_only():
    """Admission that stops a whole loop would let one writer slow down every reader."""
    server = start("--threads", "1", BUSY_EVERY=2)
    writers = [server.resp() for _ in range(4)]
    reader = server.resp()
    rounds, times = 30, []
    for number in range(rounds):
        for index, writer in enumerate(writers):
            writer.send("SET", f"key{index}", number)
        begin = time.monotonic()
        expect(reader.call("ECHO", "x") == b"x", "ECHO")
        times.append(time.monotonic() - begin)
        for writer in writers:
            expect(writer.receive() == "OK", "SET")
    for index in range(len(writers)):
        expect(reader.call("GET", f"key{index}") == b"%d" % (rounds - 1), "the last write of each")
    median = sorted(times)[rounds // 2]
    expect(median < 0.015, f"readers wait {median * 1000:.1f} ms, as long as writers")
    stop(server)


def server_deletes_of_one_key_succeed_once():
    """Clients use DEL's answer to decide who takes a piece of work: two must never both be told that they got it."""
    server = start("--threads", "4", MISS_EVERY=3)
    clients = [server.resp() for _ in range(4)]
    for number in range(800):
        expect(clients[0].call("SET", "job", number) == "OK", "SET")
        for client in clients:
            client.send("DEL", "job")
        taken = sum(client.receive() for client in clients)
        expect(taken == 1, f"{taken} clients deleted the key")
    stop(server)


def server_terminated_while_waiting_answers_or_ends():
    """An order to stop must not hang on a write that the engine does not admit, or on a sync."""
    server = start(SYNC_MS=300, BUSY_EVERY=2)
    clients = [server.resp() for _ in range(8)]
    for index, client in enumerate(clients):
        client.send("SET", f"k{index}", "v")
    time.sleep(0.1)
    begin = time.monotonic()
    replies = []
    threads = [threading.Thread(target=lambda c=client: replies.append(c.receive())) for client in clients]
    for thread in threads:
        thread.start()
    stop(server)
    expect(time.monotonic() - begin < 6, "it took too long")
    for thread in threads:
        thread.join()
    expect(replies == ["OK"] * len(clients), f"got {replies}")


if __name__ == "__main__":
    run_tests([server_scripts_with_faults_give_same_replies, server_reply_unpublished_is_held_and_others_are_not,
               server_miss_after_own_write_waits_for_publication, server_delete_of_unpublished_key_counts_it,
               server_failed_sync_is_told_as_unknown, server_full_disk_is_an_error_and_reads_go_on,
               server_corrupt_value_is_an_error_of_its_key_only, server_busy_engine_stops_writers_only,
               server_deletes_of_one_key_succeed_once, server_terminated_while_waiting_answers_or_ends])

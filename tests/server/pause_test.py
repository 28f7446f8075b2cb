"""Servers that are stopped for a while, clients that stop reading, and SIGTERM in the middle of it.

    KVS_TEST_SEED=S pause_test.py [TEST...]
"""
import os
import random
import signal
import socket
import time

from load import MODES, Case, end, until
from support import Resp, expect, run_tests

SEED = int(os.environ.get("KVS_TEST_SEED", str(int(time.time()))))
chance = random.Random(SEED)
PAUSES = 8
DEAF = 12


def pause(server, seconds):
    os.kill(server.pid(), signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(server.pid(), signal.SIGCONT)


def server_paused_again_and_again_loses_nothing():
    """A machine that is suspended, a debugger, a starved container: time jumps, but nothing is dropped, refused or read wrongly."""
    for mode in MODES:
        case = Case(chance, mode)
        server = case.start()
        load = case.load(server)
        for _ in range(PAUSES):
            pause(server, chance.choice((0.01, 0.05, 0.3)))
            before = load.acknowledged()
            until(lambda before=before: load.acknowledged() > before, load, f"in {mode}: no writes after a pause")
            time.sleep(chance.random() * 0.05)
        expect("dropped" not in server.log(), f"in {mode}: a client was dropped; log:\n{server.log()}")
        os.kill(server.pid(), signal.SIGSTOP)
        if chance.random() < 0.5:
            server.kill()
        else:  # the signal waits with the process
            os.kill(server.pid(), signal.SIGTERM)
            os.kill(server.pid(), signal.SIGCONT)
            expect(end(server, f"paused in {mode}") == 0, f"exit status not 0; log:\n{server.log()}")
        load.join()
        case.restart()


def deaf_client(server):
    """A client that asks for more than it will ever read, and in the middle of it for a write."""
    client = server.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    client.sendall(Resp.encode("SELECT", 1))  # beside the keys that are checked
    requests = Resp.encode("GET", "large") * 40 + Resp.encode("SET", "deaf", "x") + Resp.encode("RANGE", "", "")
    try:
        for _ in range(200):
            client.sendall(requests)
    except BlockingIOError:
        pass
    return client


def server_clients_that_do_not_read_harm_no_other():
    """Neither the clients that read, nor the end of the server, wait for those that do not."""
    for mode in ("always", chance.choice(MODES[1:])):
        case = Case(chance, mode)
        server = case.start()
        client = server.resp()
        expect(client.call("SELECT", 1) == "OK" and client.call("SET", "large", b"v" * 500000) == "OK", "SET")
        load = case.load(server)
        deaf = [deaf_client(server) for _ in range(DEAF)]
        before, reads = load.acknowledged(), load.reads()
        until(lambda: load.acknowledged() > before + 200 and load.reads() > reads + 200, load,
              f"in {mode}: others do not go on")
        if chance.random() < 0.5:
            pause(server, 0.1)
        begin = time.monotonic()
        expect(end(server, f"deaf clients in {mode}") == 0, f"exit status not 0; log:\n{server.log()}")
        print(f"    {mode}: the end took {time.monotonic() - begin:.1f} s")
        load.join()
        for client in deaf:
            client.close()
        case.restart()


if __name__ == "__main__":
    print(f"seed {SEED} (KVS_TEST_SEED)", flush=True)
    run_tests([server_paused_again_and_again_loses_nothing, server_clients_that_do_not_read_harm_no_other])

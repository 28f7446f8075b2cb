"""How the server starts, refuses to start, and ends."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

from support import PATIENCE_S, Server, expect, program, run_tests, work_folder

SERVER = os.environ.get("KVS_SERVER", "kvstore_server")
HAS_ENGINE = SERVER == "kvstore_server"


def run(*options):
    """Runs a server that is expected to end by itself."""
    return subprocess.run([program(SERVER), *options], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def expect_refusal(done, *words):
    lines = done.stderr.splitlines()
    complaint = [line for line in lines if line.startswith("kvstore_server: ")]
    expect(done.returncode not in (0, None) and done.returncode > 0, f"exit status {done.returncode}")
    expect(done.stdout == "", f"printed {done.stdout!r}")
    expect(len(complaint) == 1 and lines[-1] == complaint[0], f"not one clear line: {done.stderr!r}")
    for word in words:
        expect(word in complaint[0], f"{word!r} is not in {complaint[0]!r}")


def server_bad_options_are_refused_with_a_line():
    """Who misspells an option must learn which, and not get a server with other settings."""
    data = os.path.join(work_folder(), "data")
    for options, words in (
            (["--bogus"], ["--bogus"]), (["--port"], ["--port", "value"]), (["--port", "65536"], ["--port", "65535"]),
            (["--port", "12x"], ["--port", "12x"]), (["--memory", "lots"], ["--memory", "lots"]),
            (["--memory", "1"], ["--memory", "1M"]), (["--sync", "never"], ["--sync", "never", "always"]),
            (["--sync", "interval:0"], ["--sync", "interval:0"]), (["--threads", "0"], ["--threads"]),
            (["--compression", "zstd:99"], ["--compression", "19"]), (["--memory", "99999999999T"], ["--memory"]),
            (["extra"], ["extra"]), (["--dir", ""], ["--dir"])):
        expect_refusal(run("--dir", data, *options), *words)
    expect(not os.path.exists(data), "a refused start made a database")


def server_help_shows_every_option_with_its_default():
    """--help is the documentation that is always at hand."""
    done = run("--help")
    expect(done.returncode == 0 and done.stderr == "", "exit status and stderr")
    options = re.findall(r"--([a-z-]+)=", done.stdout)
    expect(len(options) >= 14 and "port" in options and "sync" in options, f"options {options}")
    text = re.sub(r"\s+", " ", done.stdout)
    expect(text.count("(default ") == len(options), "an option has no default")
    version = run("--version")
    expect(version.returncode == 0 and re.fullmatch(r"kvstore_server \d+\.\d+\.\d+\S*\n", version.stdout), "--version")


def server_busy_port_is_refused():
    """Two servers on one port would split the clients between them."""
    first = Server(name=SERVER)
    expect_refusal(run("--dir", os.path.join(work_folder(), "data"), "--port", str(first.port)), str(first.port))
    expect(first.resp().call("PING") == "PONG", "the first one goes on")
    expect(first.stop() == 0, "exit status")


def server_folder_not_ours_is_refused():
    """Files of somebody else, and databases of other programs, must be left alone."""
    if not HAS_ENGINE:
        return
    folder = work_folder()
    blocked = os.path.join(folder, "file")
    with open(blocked, "w", encoding="ascii") as file:
        file.write("not a folder")
    expect_refusal(run("--port", "0", "--dir", blocked), blocked)
    expect_refusal(run("--port", "0", "--dir", os.path.join(blocked, "below")), "below")
    server = Server(folder=os.path.join(folder, "data"))
    expect_refusal(run("--port", "0", "--dir", server.folder), server.folder)
    expect(server.stop() == 0, "exit status")


def server_port_is_free_after_end():
    """A restart must not have to wait for old connections to be forgotten."""
    folder = os.path.join(work_folder(), "data")
    server = Server(name=SERVER, folder=folder)
    client = server.resp()
    expect(client.call("SET", "k", "v") == "OK", "SET")
    port = server.port
    expect(server.stop() == 0, "exit status")
    again = Server("--port", str(port), name=SERVER, folder=folder)
    expect(again.port == port, "another port")
    if HAS_ENGINE:
        expect(again.resp().call("GET", "k") == b"v", "the value is gone")
    expect(again.stop() == 0, "exit status")


def write_until_closed(server, number, acknowledged):
    """Pipelines writes; notes which were acknowledged."""
    client = server.resp()
    sent = 0
    try:
        while True:
            client.socket.sendall(b"".join(client.encode("SET", f"c{number}k{i}", i) for i in range(sent, sent + 16)))
            for i in range(sent, sent + 16):
                if client.receive() != "OK":
                    return
                acknowledged[number] = i
            sent += 16
    except (ConnectionError, OSError):
        pass


def server_signalled_under_load_keeps_what_it_acknowledged():
    """An orderly stop must lose nothing and take seconds at most, whoever is connected."""
    for number in (signal.SIGTERM, signal.SIGINT):
        server = Server(name=SERVER)
        acknowledged = {}
        threads = [threading.Thread(target=write_until_closed, args=(server, i, acknowledged)) for i in range(8)]
        idle, half, deaf = server.connect(), server.connect(), server.connect()
        half.sendall(b"*2\r\n$3\r\nGET\r\n")
        deaf.sendall(b"PUT big " + b"v" * 1000000 + b"\n" + b"GET big\n" * 100)
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        begin = time.monotonic()
        expect(server.stop(number) == 0, f"exit status not 0; log:\n{server.log()}")
        expect(time.monotonic() - begin < 8, f"it took {time.monotonic() - begin:.1f} s")
        for thread in threads:
            thread.join()
        expect(len(acknowledged) == 8, "not every client got something written")
        idle.close()
        if not HAS_ENGINE:
            continue
        again = Server(folder=server.folder)
        client = again.resp()
        for connection, last in acknowledged.items():
            for first in range(0, last + 1, 1000):
                keys = [f"c{connection}k{i}" for i in range(first, min(first + 1000, last + 1))]
                values = client.call("MGET", *keys)
                expect(values == [b"%d" % i for i in range(first, first + len(keys))], f"client {connection} lost writes")
        expect(again.stop() == 0, "exit status")


def server_terminated_finishes_what_had_come():
    """A request that was sent before the end must be answered, whether its connection is old, was just made, or waits to be accepted."""
    server = Server("--threads", "2", name=SERVER)
    old = [server.resp() for _ in range(20)]
    expect([client.call("PING") for client in old] == ["PONG"] * 20, "PING")
    os.kill(server.pid(), signal.SIGSTOP)
    clients = old + [server.resp() for _ in range(150)]
    for number, client in enumerate(clients):
        client.socket.sendall(client.encode("SET", f"k{number}", number) + client.encode("GET", f"k{number}"))
    os.kill(server.pid(), signal.SIGTERM)
    os.kill(server.pid(), signal.SIGCONT)
    for number, client in enumerate(clients):
        expect((client.receive(), client.receive()) == ("OK", b"%d" % number), f"client {number}")
        expect(client.file.read() == b"", "more than the replies")
        client.close()
    expect(server.process.wait(PATIENCE_S) == 0, f"exit status not 0; log:\n{server.log()}")
    expect("dropped" not in server.log(), f"a connection was dropped; log:\n{server.log()}")


def server_terminated_twice_ends_in_order():
    """Supervisors and scripts repeat themselves: the second signal must not cut the end of the first short."""
    server = Server("--sync", "interval:60000", name=SERVER)
    client, half = server.resp(), server.connect()
    expect(client.call("SET", "k", "v") == "OK", "SET")
    client.send("ECHO", "x" * 10000000)  # more than is read ahead: the end waits for it to go
    half.sendall(b"*2\r\n$3\r\nGET\r\n")
    for _ in range(100):
        if server.process.poll() is not None:
            break
        os.kill(server.pid(), signal.SIGTERM)
        time.sleep(0.01)
    expect(server.process.wait(PATIENCE_S) == 0, f"exit status {server.process.returncode}; log:\n{server.log()}")


def server_terminated_under_a_long_pipeline_sends_its_replies():
    """A client that is still sending must get the replies to what was executed, and not a reset that throws them away."""
    server = Server("--sync", "os", "--threads", "1", name=SERVER)
    client = server.resp()
    request = b"".join(client.encode("SET", f"k{i}", "v" * 1000) for i in range(1000))
    sending = threading.Thread(target=send_for_ever, args=(client.socket, request))
    sending.start()
    for _ in range(3000):
        expect(client.receive() == "OK", "SET")
    os.kill(server.pid(), signal.SIGTERM)
    rest = client.file.read()
    expect(rest == b"+OK\r\n" * (len(rest) // 5), "the replies end in the middle of one")
    client.close()
    sending.join()
    expect(server.process.wait(PATIENCE_S) == 0, f"exit status not 0; log:\n{server.log()}")


def send_for_ever(connection, data):
    try:
        while True:
            connection.sendall(data)
    except OSError:
        pass


def server_sync_modes_keep_data_over_restart():
    """Each mode must be reachable by its flag, and an orderly stop keeps everything in each."""
    if not HAS_ENGINE:
        return
    for mode in ("always", "interval:10", "os"):
        server = Server("--sync", mode)
        client = server.resp()
        for i in range(300):
            expect(client.call("SET", f"k{i}", f"v{i}") == "OK", "SET")
        info = client.call("INFO", "persistence").decode()
        expect(f"sync_mode:{mode}\r\n" in info and "health:ok" in info, f"INFO says {info!r}")
        expect(server.stop() == 0, "exit status")
        again = Server("--sync", mode, folder=server.folder)
        client = again.resp()
        expect(client.call("MGET", *[f"k{i}" for i in range(300)]) == [b"v%d" % i for i in range(300)], f"lost in {mode}")
        expect(client.call("DBSIZE") == 300, "DBSIZE")
        expect(again.stop() == 0, "exit status")


def server_ipv6_address_can_be_bound():
    """--bind takes any address of the machine."""
    if not socket.has_ipv6:
        return
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        print("   (no IPv6 on this machine)")
        return
    server = Server("--bind", "::1", name=SERVER)
    with socket.create_connection(("::1", server.port), timeout=10) as client:
        client.sendall(b"PING\r\n")
        expect(client.recv(100) == b"+PONG\r\n", "PING")
    expect(server.stop() == 0, "exit status")


if __name__ == "__main__":
    run_tests([server_bad_options_are_refused_with_a_line, server_help_shows_every_option_with_its_default,
               server_busy_port_is_refused, server_folder_not_ours_is_refused, server_port_is_free_after_end,
               server_signalled_under_load_keeps_what_it_acknowledged,
               server_terminated_finishes_what_had_come, server_terminated_twice_ends_in_order,
               server_terminated_under_a_long_pipeline_sends_its_replies, server_sync_modes_keep_data_over_restart,
               server_ipv6_address_can_be_bound])

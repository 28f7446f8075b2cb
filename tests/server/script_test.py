"""Scripts of requests and the exact replies to them, sent in every way in which a network may cut them up."""
import glob
import os
import select
import socket
import time

from support import Server, expect, read_to_end, run_tests

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
# At most so many places per script where the bytes are cut in two.
CUTS = int(os.environ.get("KVS_TEST_CUTS", "1000000"))
SERVER = os.environ.get("KVS_SERVER", "kvstore_server")


def load(path):
    """The steps of a script: pairs of bytes to send and bytes expected."""
    steps = []
    is_text = path.endswith(".text")
    with open(path, "rb") as script:
        for line in script.read().split(b"\n"):
            if line[:1] not in (b">", b"<"):
                continue
            data = line[1:]
            data = data + b"\n" if is_text else data.decode("unicode_escape").encode("latin-1")
            if line[:1] == b">":
                steps.append([data, b""])
            else:
                steps[-1][1] += data
    return steps


def answers(server, pieces, pause_s=0.0):
    """All that the server answers to the pieces until it closes."""
    with server.connect() as client:
        for piece in pieces:
            client.sendall(piece)
            if pause_s:
                time.sleep(pause_s)
        client.shutdown(socket.SHUT_WR)
        return read_to_end(client)


def check(path, how, got, wanted):
    if got == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
    raise AssertionError(f"{os.path.basename(path)}, {how}: from byte {at} on got {got[at:at + 120]!r}, "
                         f"not {wanted[at:at + 120]!r}")


def run_script(server, path):
    steps = load(path)
    sent, wanted = b"".join(step[0] for step in steps), b"".join(step[1] for step in steps)
    expect(sent and wanted, f"{path} is empty")
    check(path, "sent whole", answers(server, [sent]), wanted)
    check(path, "sent byte by byte", answers(server, [sent[i:i + 1] for i in range(len(sent))], 0.0001), wanted)
    for cut in range(1, len(sent), max(1, len(sent) // CUTS)):
        check(path, f"cut at byte {cut}", answers(server, [sent[:cut], sent[cut:]]), wanted)
    with server.connect() as client:
        for request, reply in steps:
            client.sendall(request)
            got = b""
            while len(got) < len(reply):
                part = client.recv(1 << 16)
                expect(part, f"{path}: closed after {got!r}, before {reply!r} was whole")
                got += part
            check(path, f"one by one, at {request!r}", got, reply)


def server_scripts_any_cut_gives_same_replies():
    """A reply that depends on how TCP cut the request would be wrong for users on real networks, now and then."""
    server = Server(name=SERVER)
    for path in sorted(glob.glob(os.path.join(SCRIPTS, "*"))):
        run_script(server, path)
    expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def server_http_request_is_hung_up_on():
    """A browser that is led to the port must not be able to execute commands by what it posts."""
    server = Server(name=SERVER)
    got = answers(server, [b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET evil 1\r\n"])
    expect(got == b"", f"answered {got!r}")
    client = server.resp()
    expect(client.call("GET", "evil") is None, "a command of the body was executed")


def server_pipeline_large_is_answered_in_order():
    """Clients count replies to match them to requests."""
    server = Server(name=SERVER)
    client = server.resp()
    count = 20000
    requests = b"".join(client.encode("SET", f"key{i}", f"value{i}") + client.encode("GET", f"key{i}") +
                        client.encode("ECHO", i) for i in range(count))
    sent = 0
    client.socket.setblocking(False)
    got = b""
    while got.count(b"\r\n") < count * 5:
        ready, writable, _ = select.select([client.socket], [client.socket] if sent < len(requests) else [], [], 60)
        expect(ready or writable, "nothing moves")
        if ready:
            got += client.socket.recv(1 << 20)
        if writable:
            sent += client.socket.send(requests[sent:sent + (1 << 16)])
    wanted = b"".join(b"+OK\r\n$%d\r\nvalue%d\r\n$%d\r\n%d\r\n" % (len(b"value%d" % i), i, len(b"%d" % i), i)
                      for i in range(count))
    expect(got == wanted, "replies differ")
    expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


if __name__ == "__main__":
    run_tests([server_scripts_any_cut_gives_same_replies, server_http_request_is_hung_up_on,
               server_pipeline_large_is_answered_in_order])

"""What one client may cost the others: nothing that they notice, and no more memory than the limits say."""
import os
import select
import socket
import threading
import time

from support import ReplyError, Resp, Server, expect, read_to_end, run_tests

SERVER = os.environ.get("KVS_SERVER", "kvstore_server")
MIB = 1 << 20
# Sanitizers keep freed memory for a while.
SLACK = 6 if os.environ.get("KVS_TEST_SANITIZED") else 1


def start(*options):
    return Server("--sync", "os", "--memory", "32M", *options, name=SERVER)


def stop(server):
    expect(server.stop() == 0, f"exit status not 0; log:\n{server.log()}")


def send_until_closed(client, data, seconds=60):
    """Sends as long as the server takes it, and gives what it answered until it closed."""
    end = time.monotonic() + seconds
    answer = b""
    view = memoryview(data)
    client.setblocking(False)
    while time.monotonic() < end:
        readable, writable, _ = select.select([client], [client] if view else [], [], 1)
        try:
            if readable:
                part = client.recv(1 << 16)
                if not part:
                    return answer
                answer += part
            if writable and view:
                view = view[client.send(view[:1 << 20]):]
        except (ConnectionResetError, BrokenPipeError):
            return answer
    raise AssertionError("the server did not close")


def server_line_without_end_is_an_error():
    """100 MB without a newline must neither be kept in memory nor taken for a command."""
    server = start()
    other = server.resp()
    before = server.resident_bytes()
    with server.connect() as client:
        client.sendall(b"GET x\n")
        expect(client.recv(100) == b"NOT_FOUND\n", "GET")
        answer = send_until_closed(client, b"a" * (100 * 1000 * 1000))
    expect(answer.startswith(b"ERROR ") and answer.endswith(b"\n") and answer.count(b"\n") == 1, f"answered {answer!r}")
    with server.connect() as client:
        answer = send_until_closed(client, b"a" * (100 * 1000 * 1000))
    expect(answer.startswith(b"ERROR ") or answer.startswith(b"-ERR "), f"answered {answer!r}")
    expect(other.call("PING") == "PONG", "another client")
    grown = server.resident_bytes() - before
    expect(grown < 40 * MIB * SLACK, f"the server grew by {grown} bytes")
    stop(server)


def server_promised_sizes_cost_nothing():
    """Memory that is allocated for what a client says it will send is memory that any client can take away."""
    server = start()
    before = server.resident_bytes()
    clients = []
    for head in (b"*1000000\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n") * 50:
        client = server.connect()
        client.sendall(head)
        clients.append(client)
    for head, error in ((b"*1000000000\r\n", b"-ERR "), (b"*2\r\n$3\r\nGET\r\n$999999999\r\n", b"-ERR ")):
        with server.connect() as client:
            client.sendall(head)
            expect(read_to_end(client).startswith(error), f"no error for {head!r}")
    expect(server.resp().call("PING") == "PONG", "another client")
    grown = server.resident_bytes() - before
    expect(grown < 20 * MIB * SLACK, f"the server grew by {grown} bytes")
    stop(server)


def server_keys_and_values_too_long_are_errors():
    """A value over the limit must be refused whole, and the connection go on."""
    server = start()
    client = server.resp()
    expect(client.call("SET", "k", b"v" * MIB) == "OK", "the largest value")
    expect(client.call("GET", "k") == b"v" * MIB, "the largest value comes back")
    expect(isinstance(client.call("SET", "k", b"v" * (MIB + 1)), ReplyError), "a value that is too long")
    expect(client.call("SET", b"k" * 65535, "v") == "OK", "the longest key")
    expect(client.call("GET", b"k" * 65535) == b"v", "the longest key comes back")
    for words in (("SET", b"k" * 65536, "v"), ("GET", b"k" * 65536), ("DEL", b"k" * 65536), ("MSET", b"k" * 65536, "v"),
                  ("EXISTS", "k", b"k" * 65536), ("RANGE", b"k" * 65536, "")):
        expect(isinstance(client.call(*words), ReplyError), f"a key that is too long, {words[0]}")
    expect(client.call("SET", "", "empty") == "OK" and client.call("GET", "") == b"empty", "the empty key")
    expect(client.call("GET", "k") == b"v" * MIB, "the value from before")
    stop(server)


def server_client_that_does_not_read_is_bounded():
    """A million GETs whose replies nobody reads must not be kept as a million replies."""
    server = start("--threads", "1")
    other = server.resp()
    expect(other.call("SET", "k", b"v" * 1000) == "OK", "SET")
    before, peak, slowest = server.resident_bytes(), 0, 0.0
    client = server.connect()
    client.setblocking(False)
    left, view, moved = 1000, b"", time.monotonic()
    while left and time.monotonic() - moved < 2:
        if not view:
            view, left = memoryview(Resp.encode("GET", "k") * 1000), left - 1
        try:
            view = view[client.send(view):]
            moved = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        begin = time.monotonic()
        expect(other.call("GET", "k") == b"v" * 1000, "another client")
        slowest = max(slowest, time.monotonic() - begin)
        peak = max(peak, server.resident_bytes())
    expect(left, "the server took a million requests without an answer being read")
    expect(peak - before < 16 * MIB * SLACK, f"the server grew by {peak - before} bytes")
    expect(slowest < 0.5, f"another client waited {slowest:.3f} s")
    client.setblocking(True)
    expect(client.recv(7) == b"$1000\r\n", "it was dropped, or answered wrongly")
    stop(server)


def server_client_that_reads_late_gets_everything():
    """Back-pressure must hold replies back, not lose them."""
    server = start("--threads", "1")
    client = server.resp()
    expect(client.call("SET", "k", b"v" * 10000) == "OK", "SET")
    count = 5000
    sender = threading.Thread(target=client.socket.sendall, args=(client.encode("GET", "k") * count,))
    sender.start()
    time.sleep(0.5)
    for number in range(count):
        expect(client.receive() == b"v" * 10000, f"reply {number}")
    sender.join()
    stop(server)


def server_range_large_is_streamed():
    """A scan of the whole database must fit in memory, whatever the size of the database, in both protocols."""
    server = start("--memory", "4M")
    client = server.resp()
    count, value = 3000, b"v" * 10000
    for first in range(0, count, 100):
        client.socket.sendall(b"".join(client.encode("SET", f"key{i:06}", value) for i in range(first, first + 100)))
        expect([client.receive() for _ in range(100)] == ["OK"] * 100, "SET")
    before = server.resident_bytes()
    client.send("RANGE", "", "")
    time.sleep(1)
    grown = server.resident_bytes() - before
    expect(grown < 16 * MIB * SLACK, f"the server grew by {grown} bytes for a client that did not read yet")
    reply = client.receive()
    expect(reply == [word for i in range(count) for word in (b"key%06d" % i, value)], "RANGE in RESP")
    reply = client.call("RANGE", "", "", "REV", "LIMIT", count - 1)
    expect(reply == [word for i in range(count - 1, 0, -1) for word in (b"key%06d" % i, value)], "RANGE REV in RESP")
    expect(client.call("COUNT", "", "") == count, "COUNT")
    with server.connect() as text:
        text.sendall(b'RANGE "" ""\nCOUNT "" ""\nRANGE "" "" REV LIMIT 2500\nQUIT\n')
        got = read_to_end(text)
    lines = [b"key%06d %s" % (i, value) for i in range(count)]
    wanted = lines + [b"END", b"%d" % count] + lines[:-2501:-1] + [b"END", b""]
    expect(got == b"\n".join(wanted), "RANGE in text")
    expect(client.call("MGET", *[f"key{i:06}" for i in range(count)]) == [value] * count, "MGET of many")
    stop(server)


def server_reply_over_limit_is_an_error():
    """One MGET could else ask for more memory than the machine has."""
    server = start("--max-output", "1M")
    client = server.resp()
    expect(client.call("SET", "k", b"v" * 900000) == "OK", "SET")
    expect(client.call("GET", "k") == b"v" * 900000, "GET")
    reply = client.call("MGET", "k", "k")
    expect(isinstance(reply, ReplyError) and "max-output" in str(reply), f"got {reply!r:.80}")
    expect(client.call("PING") == "PONG", "the connection goes on")
    stop(server)


def server_request_over_limit_is_an_error():
    """max-request is what an operator sets to bound the memory of a connection."""
    server = start("--max-request", "100K")
    client = server.resp()
    expect(client.call("SET", "k", b"v" * 90000) == "OK", "SET")
    with server.connect() as other:
        answer = send_until_closed(other, Resp.encode("MSET", "a", b"v" * 60000, "b", b"w" * 60000))
    expect(answer.startswith(b"-ERR "), f"answered {answer!r}")
    expect(client.call("EXISTS", "a", "b") == 0, "half of it was stored")
    stop(server)


def server_half_request_is_given_up():
    """Clients that begin requests and never end them must not fill the server up."""
    server = start("--request-timeout", "1")
    busy, idle = server.resp(), server.resp()
    half = server.connect()
    half.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nhe")
    slow = server.connect()
    begin = time.monotonic()
    answers = []
    reader = threading.Thread(target=lambda: answers.append(read_to_end(half)))
    reader.start()
    for byte in b"PUT hello world" * 2:  # a byte now and then is no progress
        try:
            slow.sendall(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            break
        expect(busy.call("PING") == "PONG", "a busy client")
        time.sleep(0.15)
    slow.settimeout(5)
    try:
        answer = read_to_end(slow)
    except ConnectionResetError:
        answer = b"-ERR "
    reader.join(10)
    expect(time.monotonic() - begin < 15, "it took too long")
    expect(answers and answers[0].startswith(b"-ERR "), f"answered {answers}")
    expect(answer[:2] in (b"ER", b"-E"), f"answered {answer!r}")
    expect(idle.call("PING") == "PONG", "an idle client was closed")
    stop(server)


def server_client_that_never_reads_is_dropped():
    """Its replies, and the iterator of its scan, must not be kept for ever."""
    server = start("--request-timeout", "1")
    client = server.resp()
    for i in range(60):
        expect(client.call("SET", f"key{i}", b"v" * 1000000) == "OK", "SET")
    victim = server.connect()
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    victim.sendall(Resp.encode("RANGE", "", ""))
    end = time.monotonic() + 20
    while "does not read" not in server.log() and time.monotonic() < end:
        time.sleep(0.1)
    expect("does not read" in server.log(), f"it was not dropped; log:\n{server.log()}")
    expect(client.call("PING") == "PONG", "another client")
    stop(server)


def server_idle_client_is_closed_when_asked():
    """--idle-timeout is off by default, for clients keep connections; where it is set it has to work."""
    server = start("--idle-timeout", "1")
    idle, busy = server.connect(), server.resp()
    begin = time.monotonic()
    idle.settimeout(10)
    while True:
        expect(busy.call("PING") == "PONG", "a busy client")
        readable, _, _ = select.select([idle], [], [], 0.2)
        if readable:
            break
        expect(time.monotonic() - begin < 8, "the idle client was not closed")
    expect(idle.recv(10) == b"", "it was told something")
    stop(server)


def server_clients_over_maxclients_are_told():
    """An error says what is wrong; a connection that just closes does not."""
    server = start("--maxclients", "3")
    clients = [server.resp() for _ in range(3)]
    expect([client.call("PING") for client in clients] == ["PONG"] * 3, "clients within the limit")
    with server.connect() as client:
        expect(read_to_end(client) == b"-ERR max number of clients reached\r\n", "the one over it")
    clients.pop().close()
    end = time.monotonic() + 10
    while True:
        try:
            fourth = server.resp()
            if fourth.call("PING") == "PONG":
                break
        except (ConnectionError, OSError):
            pass
        expect(time.monotonic() < end, "a place that became free is not given away")
        time.sleep(0.05)
    stop(server)


def server_buffers_over_total_drop_the_largest_asker():
    """Many clients that are each within their limits must not together take all memory."""
    server = start("--max-buffers", "8M")
    small = server.resp()
    big = [server.connect() for _ in range(6)]
    dropped = 0
    for client in big:
        client.settimeout(10)
        try:
            client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n" + b"v" * 4000000)
        except OSError:
            dropped += 1
    time.sleep(0.5)
    expect(small.call("SET", "a", "b") == "OK" and small.call("GET", "a") == b"b", "a small client")
    expect("max-buffers" in server.log(), f"none was dropped; log:\n{server.log()}")
    stop(server)


if __name__ == "__main__":
    run_tests([server_line_without_end_is_an_error, server_promised_sizes_cost_nothing,
               server_keys_and_values_too_long_are_errors, server_client_that_does_not_read_is_bounded,
               server_client_that_reads_late_gets_everything, server_range_large_is_streamed,
               server_reply_over_limit_is_an_error, server_request_over_limit_is_an_error,
               server_half_request_is_given_up, server_client_that_never_reads_is_dropped,
               server_idle_client_is_closed_when_asked, server_clients_over_maxclients_are_told,
               server_buffers_over_total_drop_the_largest_asker])

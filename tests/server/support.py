"""What the tests of the server share: starting it, talking to it, and ending it.

The server is a program of the build tree, given by name: KVS_BIN_DIR says where it is. Every server listens on loopback, on a
port that it picks itself. A test that cannot run here exits with 77, which ctest shows as skipped.
"""
import atexit
import contextlib
import ctypes
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SKIPPED = 77
READY = re.compile(rb"^KVServer listening port (\d+)\.\.\.\n$")
# Sanitizers are slow, and so are machines that do other things.
PATIENCE_S = float(os.environ.get("KVS_TEST_PATIENCE_S", "60"))


def skip(reason):
    print("SKIPPED:", reason)
    sys.exit(SKIPPED)


def die_with_parent():
    """In a child: killed when the test is, so that no server is left behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def program(name):
    path = os.path.join(os.environ.get("KVS_BIN_DIR", "build/release/bin"), name)
    if not os.access(path, os.X_OK):
        skip(f"{path} was not built")
    return path


def work_folder():
    """A folder that is removed when the test ends."""
    path = tempfile.mkdtemp(prefix="kvs-test-", dir=os.environ.get("KVS_TEST_DIR", "."))
    atexit.register(shutil.rmtree, path, True)
    return os.path.abspath(path)


class Server:
    """A running server. Its log is in memory, in log(). With awaits_ready=False it may be still starting, or be ended by something else."""

    def __init__(self, *options, name="kvstore_server", folder=None, env=None, wrapper=(), awaits_ready=True):
        self.folder = folder or os.path.join(work_folder(), "data")
        command = [*wrapper, program(name), "--dir", self.folder, "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
        self._is_wrapped = bool(wrapper)
        self._log = b""
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        atexit.register(self.kill)
        self.port = None
        if awaits_ready:
            self.await_ready()

    def await_ready(self):
        expect(self.becomes_ready(), f"no ready line; exit status {self.process.poll()}, log:\n{self.log()}")

    def becomes_ready(self):
        """False where it ends by itself instead. One that does neither is a failure."""
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        if not ready:
            self.kill()
            raise AssertionError(f"after {PATIENCE_S} s neither ready nor over; log:\n{self.log()}")
        line = self.process.stdout.readline()
        if line == b"":
            self.process.wait(PATIENCE_S)
            self._reader.join(PATIENCE_S)
            return False
        match = READY.match(line)
        expect(match, f"no ready line but {line!r}")
        self.port = int(match.group(1))
        return True

    def _read_log(self):
        for line in self.process.stderr:
            self._log += line

    def log(self):
        return self._log.decode(errors="replace")

    def connect(self, timeout_s=PATIENCE_S):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def resp(self, timeout_s=PATIENCE_S):
        return Resp(self.connect(timeout_s))

    def text(self, timeout_s=PATIENCE_S):
        return Text(self.connect(timeout_s))

    def pid(self):
        """Of the server itself, also where a wrapper started it."""
        if not self._is_wrapped:
            return self.process.pid
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            pids = children.read().split()
        return int(pids[0]) if pids else self.process.pid

    def resident_bytes(self):
        with open(f"/proc/{self.pid()}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it in order; returns its exit status, or that of its wrapper, which is the same with strace."""
        os.kill(self.pid(), signal_number)
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status

    def kill(self):
        if self.process.poll() is None:
            for pid in {self.pid(), self.process.pid}:
                with contextlib.suppress(ProcessLookupError):  # it ends at this moment
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self._reader.join(PATIENCE_S)
        self.process.stdout.close()
        atexit.unregister(self.kill)


class ReplyError(Exception):
    pass


class Client:
    """call() for one command, send() and receive() for pipelines; encode() and receive() are the protocol's."""

    def __init__(self, client):
        self.socket = client
        self.file = client.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        self.socket.sendall(self.encode(*words))

    def call(self, *words):
        self.send(*words)
        return self.receive()


class Resp(Client):
    """A RESP2 client."""

    @staticmethod
    def encode(*words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = self.file.read(size + 2)
            if len(data) != size + 2:
                raise ConnectionError("the server closed the connection in a value")
            return data[:-2]
        if kind == b"*":
            return [self.receive() for _ in range(int(rest))]
        raise AssertionError(f"unexpected reply {line!r}")


class Text(Client):
    """A client of the text protocol, for commands whose reply is one line and words that need no quotes."""

    @staticmethod
    def encode(*words):
        """SET becomes PUT: the first command decides on the protocol, and SET would be RESP."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        words[0] = b"PUT" if words[0] == b"SET" else words[0]
        return b" ".join(words) + b"\n"

    def receive(self):
        """"OK", an absent value as None, an error, or the line."""
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        line = line[:-1]
        if line == b"NOT_FOUND":
            return None
        if line.startswith(b"ERROR "):
            return ReplyError(line[6:].decode())
        return "OK" if line == b"OK" else line


def read_to_end(client):
    """Everything until the server closes."""
    parts = []
    while True:
        part = client.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def run_tests(tests):
    """Runs functions, each with its name and time; the first failure ends the program with its trace."""
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        begin = time.monotonic()
        test()
        print(f"ok {test.__name__} ({time.monotonic() - begin:.2f} s)", flush=True)

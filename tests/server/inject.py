"""Faults of a running server's system calls, by strace: from the moment it is attached until it lets go."""
import os
import shutil
import signal
import subprocess
import time

from support import PATIENCE_S, die_with_parent, expect

# A leak check traces, too, and only one may.
TRACED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def can_trace():
    """Whether strace is there and may trace: not in every container."""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "true"]
    return subprocess.run(probe, capture_output=True, timeout=30, check=False).returncode == 0


def wrapper(*faults):
    """The front of a command line whose program meets faults from its start on; each is as strace's inject=. Calls are counted by thread."""
    return ["strace", "-f", "-qq", "-o", os.devnull, "--seccomp-bpf", *arguments(faults)]


def arguments(faults):
    calls = ",".join(fault.split(":", 1)[0] for fault in faults)
    return ["-e", "trace=" + calls, *(word for fault in faults for word in ("-e", "inject=" + fault))]


class Injection:
    """Faults from now on, in all threads of a process. One that takes no when= lasts until heal()."""

    def __init__(self, pid, *faults):
        self.pid = pid
        self.process = subprocess.Popen(["strace", "-f", "-qq", "-o", os.devnull, "-p", str(pid), *arguments(faults)],
                                        stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        end = time.monotonic() + PATIENCE_S
        while not self.is_attached():
            expect(self.process.poll() is None, f"strace: {self.process.stderr.read()!r}" if self.process.poll() is not None else "")
            expect(time.monotonic() < end, "strace does not attach")
            time.sleep(0.005)

    def is_attached(self):
        threads = os.listdir(f"/proc/{self.pid}/task")
        for thread in threads:
            with open(f"/proc/{self.pid}/task/{thread}/status", encoding="ascii") as status:
                if "TracerPid:\t0\n" in status.read():
                    return False
        return True

    def heal(self):
        """The process goes on without faults."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.process.stderr.close()

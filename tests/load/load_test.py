"""Twenty million records in random order into a server with little memory, which is killed on the way.

kvstore_load writes each record once, from 50 pipelining connections, and goes on after each kill with what was not acknowledged. Judged:
  memory    the server's resident memory, at any time
  delays    how long the engine held back a write at a time, by its own statistic, and how long a write waited from its first refusal until
            it was applied, by the server's, whose own turns are part of that
  restart   the time from start to the ready line, against what the load needed to write as much as the logs hold
  data      after each restart and at the end, records drawn at random (half of them the newest) byte by byte, and absent keys; at the end
            the number of keys, and every checksum
  space     the folder when compaction has settled, against the same data compacted whole

--records and KVS_LOAD_RECORDS make it shorter; the space of a small load is mostly that of its logs, and is not judged.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "server"))
from support import Server, program, work_folder  # noqa: E402

RECORDS, KEY_BYTES, VALUE_BYTES = 20_000_000, 16, 100
SERVER_OPTIONS = ["--sync", "os", "--memory", "256M"]
RESIDENT_MAX = 400_000_000
DELAY_MAX_US = 100_000
SPACE_RATIO_MAX = 1.3
SPACE_RECORDS_MIN = 5_000_000
# A restart may take a second, and twice what the load took to write what the logs hold.
RESTART_BASE_S, RESTART_RATIO_MAX = 1.0, 2.0
SAMPLE_S = 0.1
SETTLED_S, SETTLE_LIMIT_S = 5, 3600
LOST = 3  # exit status of kvstore_load


class Verdicts:
    """What was judged, for the last table."""

    def __init__(self):
        self.rows = []

    def judge(self, holds, what, found, bound):
        self.rows.append((holds, what, found, bound))
        print(f"{'ok  ' if holds else 'FAIL'} {what}: {found} ({bound})", flush=True)

    def failures(self):
        return sum(not row[0] for row in self.rows)


def folder_bytes(folder, suffix=""):
    """Allocated on the disk."""
    total = 0
    for entry in os.scandir(folder):
        try:
            if entry.is_dir():
                total += folder_bytes(entry.path, suffix)
            elif entry.name.endswith(suffix):
                total += entry.stat().st_blocks * 512
        except FileNotFoundError:
            pass
    return total


def forget_pages(folder):
    """Makes the page cache forget the files of a folder, so that the next reader has the disk to wait for."""
    for entry in os.scandir(folder):
        if entry.is_file():
            with open(entry.path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_logs(folder):
    """Reads all logs from the disk; returns their bytes and the time that it took."""
    forget_pages(folder)
    size, begin = 0, time.monotonic()
    for entry in os.scandir(folder):
        if entry.name.endswith(".log"):
            with open(entry.path, "rb", buffering=0) as file:
                while part := file.read(1 << 20):
                    size += len(part)
    return size, time.monotonic() - begin


def megabytes(size):
    return f"{size / 1e6:.0f}"


def info(client):
    lines = client.call("INFO").decode().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(text) for name, text in fields.items() if text.isdigit()}


class Watch(threading.Thread):
    """Looks at a server ten times a second, shows it now and then, and kills it when kill_at changes have been applied."""

    def __init__(self, server, every, kill_at=None):
        super().__init__(daemon=True)
        self.server, self.every, self.kill_at = server, max(1, round(every / SAMPLE_S)), kill_at
        self.resident = self.resident_peak = self.disk = self.cpu_s = 0
        self.first, self.last, self.most = None, {}, {}
        self.at_resident = {}
        self.ended = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        try:
            client, samples = self.server.resp(), 0
            while not self.ended.wait(SAMPLE_S):
                self.sample(client, samples)
                samples += 1
                if self.kill_at is not None and self.last["applied_sequence"] >= self.kill_at:
                    self.server.process.kill()
                    return
        except (ConnectionError, OSError, ProcessLookupError) as error:
            self.failure = error

    def sample(self, client, number):
        self.last = info(client)
        self.first = self.first or self.last
        for name, value in self.last.items():
            self.most[name] = max(self.most.get(name, 0), value)
        status = self.status()
        if status["VmRSS"] > self.resident:
            self.resident, self.at_resident = status["VmRSS"], self.last
        self.resident_peak = max(self.resident_peak, status["VmHWM"])
        with open(f"/proc/{self.server.process.pid}/stat") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        self.cpu_s = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        if number % 10 == 0:
            self.disk = max(self.disk, folder_bytes(self.server.folder))
        if number % self.every == self.every - 1:
            self.show(status["VmRSS"])

    def show(self, resident):
        fields = self.last
        used, tables, debt = (megabytes(fields["engine_" + name + "_bytes"])
                              for name in ("memory_used", "memory_memtable", "compaction_debt"))
        print(f"         server: resident {megabytes(resident)} MB, engine {used} MB, of which memtables {tables} MB; debt {debt} MB;"
              f" {fields['engine_flushes']} flushes, {fields['engine_compactions']} compactions,"
              f" {fields['engine_delayed_writes']} delays", flush=True)

    def status(self):
        with open(f"/proc/{self.server.process.pid}/status") as lines:
            pairs = [line.split() for line in lines if line.startswith(("VmRSS:", "VmHWM:"))]
        return {pair[0][:-1]: int(pair[1]) * 1024 for pair in pairs}

    def stop(self):
        self.ended.set()
        self.join()


def run_loader(server, arguments, *options):
    """Exit status, and the words of the summary."""
    command = [program("kvstore_load"), "127.0.0.1", str(server.port), "--records", str(arguments.records), "--key-bytes",
               str(KEY_BYTES), "--value-bytes", str(VALUE_BYTES), "--seed", str(arguments.seed), *options]
    summary = {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for number, line in enumerate(process.stdout):
        if line.startswith("summary "):
            summary = {name: float(value) for name, value in (word.split("=") for word in line.split()[1:])}
        elif number % arguments.every == 0:
            print(line, end="", flush=True)
    return process.wait(), summary


class Test:
    def __init__(self, arguments):
        self.arguments = arguments
        self.verdicts = Verdicts()
        work = work_folder()
        self.folder, self.state = os.path.join(work, "data"), os.path.join(work, "state")
        self.parts = []
        self.restarts = []
        self.peaks = {"resident": 0, "disk": 0}
        self.delays = {"delayed": 0, "max_us": 0, "wait_us": 0}
        self.written = self.settled = 0
        self.load_s = 0.0

    def start(self):
        begin = time.monotonic()
        server = Server(*SERVER_OPTIONS, folder=self.folder)
        return server, time.monotonic() - begin

    def end_part(self, name, watch, summary):
        watch.stop()
        self.parts.append((name, summary, watch))
        self.peaks["resident"] = max(self.peaks["resident"], watch.resident, watch.resident_peak)
        self.peaks["disk"] = max(self.peaks["disk"], watch.disk)
        self.delays["delayed"] += watch.most.get("engine_delayed_writes", 0)
        self.delays["max_us"] = max(self.delays["max_us"], watch.most.get("engine_delay_us_max", 0))
        self.delays["wait_us"] = max(self.delays["wait_us"], watch.most.get("admission_wait_us_max", 0))

    def load_part(self, server, kill_at):
        """Loads until the end, or until the server is killed."""
        watch = Watch(server, self.arguments.every, kill_at)
        status, summary = run_loader(server, self.arguments, "--state", self.state)
        self.written += summary.get("commands", 0)
        self.load_s += summary.get("seconds", 0)
        return watch, status, summary

    def verify(self, server, count, when):
        status, summary = run_loader(server, self.arguments, "--state", self.state, "--verify", str(count))
        found = f"{summary.get('commands', 0):.0f} keys read in {summary.get('seconds', 0):.1f} s with status {status}"
        self.verdicts.judge(status == 0, f"data {when}", found, "each byte as written, and none where none was")
        return summary

    def restart(self, number):
        """Starts the killed server again, from files that are on the disk only, and judges the time."""
        log_bytes, read_s = read_logs(self.folder)
        forget_pages(self.folder)
        server, seconds = self.start()
        rate = self.written * (KEY_BYTES + VALUE_BYTES) / self.load_s
        bound = RESTART_BASE_S + RESTART_RATIO_MAX * log_bytes / rate
        client = server.resp()
        recovered = info(client).get("recovered_records", 0)
        client.close()
        self.restarts.append((number, log_bytes, read_s, seconds, recovered))
        found = f"{seconds:.2f} s for logs of {megabytes(log_bytes)} MB, which were read in {read_s:.2f} s"
        self.verdicts.judge(seconds <= bound, f"restart {number}", found,
                            f"at most {bound:.2f} s: the load wrote as much in {log_bytes / rate:.2f} s")
        return server

    def load(self):
        """Everything up to the last acknowledged record; returns the running server."""
        chance = random.Random(self.arguments.seed)
        moments = sorted(chance.uniform(0.05, 0.95) for _ in range(self.arguments.kills))
        server, seconds = self.start()
        print(f"an empty server starts in {seconds:.2f} s; kills at {', '.join(f'{100 * m:.1f} %' for m in moments)}", flush=True)
        for number, moment in enumerate(moments, 1):
            watch, status, summary = self.load_part(server, int(moment * self.arguments.records))
            watch.join()
            server.kill()
            self.end_part(f"load {number}", watch, summary)
            if watch.failure or status != LOST:
                raise AssertionError(f"part {number}: status {status}, {watch.failure}; log:\n{server.log()}")
            server = self.restart(number)
            self.verify(server, min(100_000, self.arguments.records), f"after kill {number}")
        watch, status, summary = self.load_part(server, None)
        self.end_part(f"load {len(moments) + 1}", watch, summary)
        if status != 0:
            raise AssertionError(f"the load ended with status {status}; log:\n{server.log()}")
        return server

    def settle(self, server):
        """Waits until compaction owes nothing and the folder no longer changes."""
        client, begin, since, before = server.resp(), time.monotonic(), time.monotonic(), None
        while time.monotonic() - since < SETTLED_S:
            if time.monotonic() - begin > SETTLE_LIMIT_S:
                raise AssertionError(f"compaction does not settle: {before}")
            fields = info(client)
            now = (fields["engine_compaction_debt_bytes"], fields["engine_compactions"], folder_bytes(self.folder))
            if now != before or now[0] != 0:
                before, since = now, time.monotonic()
            time.sleep(0.5)
        client.close()
        self.settled = before[2]
        print(f"compaction settled after {since - begin:.1f} s\n{server.log()}", end="", flush=True)

    def check_files(self):
        """With the server gone: checksums, statistics, and the same data compacted whole."""
        settled, logs = max(self.settled, folder_bytes(self.folder)), folder_bytes(self.folder, ".log")
        for command in ("verify", "stats"):
            done = subprocess.run([program("kvstore_tool"), command, self.folder], stdout=subprocess.PIPE, text=True, check=False)
            print(done.stdout.split("# stats")[0], end="", flush=True)
            self.verdicts.judge(done.returncode == 0, f"kvstore_tool {command}", f"status {done.returncode}", "0")
        done = subprocess.run([program("kvstore_compact_size"), self.folder], stdout=subprocess.PIPE, text=True, check=True)
        sizes = {name: int(value) for name, value in (word.split("=") for word in done.stdout.split())}
        print(done.stdout, end="", flush=True)
        records, live = self.arguments.records, sizes["after_bytes"]
        self.verdicts.judge(sizes["after_entries"] == records, "keys", f"{sizes['after_entries']}", f"exactly {records}")
        found = (f"{megabytes(settled)} MB, of which {megabytes(logs)} MB are logs; compacted whole {megabytes(live)} MB;"
                 f" ratio {settled / live:.3f}, without logs {(settled - logs) / live:.3f}")
        if records >= SPACE_RECORDS_MIN:
            self.verdicts.judge(settled <= SPACE_RATIO_MAX * live, "space", found, f"ratio at most {SPACE_RATIO_MAX}")
        else:
            print("not judged: space:", found)

    def judge_server(self):
        resident, delays = self.peaks["resident"], self.delays
        self.verdicts.judge(resident < RESIDENT_MAX, "memory", f"{megabytes(resident)} MB", f"under {megabytes(RESIDENT_MAX)} MB")
        longest = f"the longest of {delays['delayed']} is {delays['max_us'] / 1000:.1f} ms"
        self.verdicts.judge(delays["max_us"] <= DELAY_MAX_US, "delays", longest, f"at most {DELAY_MAX_US / 1000:.0f} ms")
        self.verdicts.judge(delays["wait_us"] <= DELAY_MAX_US, "whole waits", f"the longest is {delays['wait_us'] / 1000:.1f} ms",
                            f"at most {DELAY_MAX_US / 1000:.0f} ms")
        self.verdicts.judge(delays["delayed"] == 0 or delays["max_us"] != 0, "delays are measured",
                            f"{delays['delayed']} counted, the longest {delays['max_us']} us", "a delay that was counted took some time")

    def print_tables(self):
        titles = ("part", "commands", "seconds", "/s", "slowest", "p50 ms", "p99 ms", "max ms", "silence", "RSS MB", "peak MB",
                  "engine MB", "delays", "max ms", "CPU us")
        print("\n" + titles[0].ljust(8), *(title.rjust(9) for title in titles[1:]))
        for name, summary, watch in self.parts:
            commands = summary.get("commands", 0)
            cells = [f"{commands:.0f}", f"{summary.get('seconds', 0):.1f}", f"{summary.get('per_second', 0):.0f}",
                     f"{summary.get('slowest', 0):.0f}"]
            cells += [f"{summary.get(key, 0) / 1e3:.1f}" for key in ("p50_us", "p99_us", "max_us", "silence_us")]
            cells += [megabytes(watch.resident), megabytes(watch.resident_peak),
                      megabytes(watch.most.get("engine_memory_used_bytes", 0)), str(watch.most.get("engine_delayed_writes", 0)),
                      f"{watch.most.get('engine_delay_us_max', 0) / 1e3:.1f}", f"{watch.cpu_s * 1e6 / max(commands, 1):.2f}"]
            print(name.ljust(8), *(cell.rjust(9) for cell in cells))
        print(f"whole load: {self.written:.0f} records in {self.load_s:.1f} s, {self.written / self.load_s:.0f}/s;"
              f" largest folder {megabytes(self.peaks['disk'])} MB\n\nkill    log MB  read s  restart s  records in the log")
        for number, log_bytes, read_s, seconds, recovered in self.restarts:
            print(f"{number:4} {log_bytes / 1e6:9.1f} {read_s:7.2f} {seconds:10.2f}  {recovered}")
        name, _, watch = max(self.parts, key=lambda part: part[2].resident)
        wanted = {key: value for key, value in watch.at_resident.items() if "memory" in key or "buffer" in key or "debt" in key}
        print(f"\nlargest resident memory, in {name}: {wanted}\n")
        for holds, what, found, bound in self.verdicts.rows:
            print(f"{'ok  ' if holds else 'FAIL'} {what}: {found} ({bound})")

    def run(self):
        server = self.load()
        watch = Watch(server, self.arguments.every)
        self.settle(server)
        summary = self.verify(server, min(self.arguments.verify, self.arguments.records), "at the end")
        self.end_part("verify", watch, summary)
        begin = time.monotonic()
        status = server.stop(signal.SIGTERM)
        self.verdicts.judge(status == 0, "SIGTERM", f"status {status} after {time.monotonic() - begin:.2f} s", "0")
        self.judge_server()
        self.check_files()
        self.print_tables()
        return self.verdicts.failures()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=int(os.environ.get("KVS_LOAD_RECORDS", RECORDS)))
    parser.add_argument("--kills", type=int, default=int(os.environ.get("KVS_LOAD_KILLS", 3)))
    parser.add_argument("--verify", type=int, default=1_000_000, help="records, and as many absent keys, to read at the end")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--every", type=int, default=5, help="seconds between lines of progress")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.records} records, {arguments.kills} kills", flush=True)
    failures = Test(arguments).run()
    print(f"{failures} bounds do not hold" if failures else "all bounds hold")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

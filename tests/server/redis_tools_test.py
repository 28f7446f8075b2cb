"""redis-cli and redis-benchmark, unchanged, against the server."""
import os
import shutil
import subprocess

from support import Server, expect, run_tests, skip

SERVER = os.environ.get("KVS_SERVER", "kvstore_server")
REQUESTS = os.environ.get("KVS_TEST_REQUESTS", "20000")


def tool(name, server, *arguments, data=None):
    done = subprocess.run([name, "-p", str(server.port), *arguments], input=data, capture_output=True, timeout=120,
                          check=False)
    expect(done.returncode == 0, f"{name} {arguments}: exit status {done.returncode}, {done.stderr!r}")
    expect(b"rror" not in done.stderr and b"ARNING" not in done.stderr, f"{name} {arguments} complains: {done.stderr!r}")
    return done.stdout


def server_redis_cli_commands_work():
    """Who knows Redis knows this server."""
    server = Server("--sync", "os", name=SERVER)
    for protocol in ("-2", "-3"):
        def cli(*arguments, data=None, flag=protocol):
            return tool("redis-cli", server, flag, *arguments, data=data)

        expect(cli("SET", "k", "v") == b"OK\n", "SET")
        expect(cli("GET", "k") == b"v\n", "GET")
        binary = bytes(range(256))
        expect(cli("-x", "SET", "bin", data=binary) == b"OK\n", "SET of binary data")
        expect(cli("GET", "bin") == binary + b"\n", "GET of binary data")
        expect(cli("DEL", "k", "bin", "none") == b"2\n", "DEL")
        expect(cli("GET", "k") == b"\n", "GET of nothing")
        expect(cli("-n", "3", "SET", "k", "three") == b"OK\n", "SET in another database")
        expect(cli("EXISTS", "k") == b"0\n", "databases are not apart")
        expect(cli("-n", "3", "DEL", "k") == b"1\n", "DEL in another database")
        expect(b"redis_version:7" in cli("INFO", "server"), "INFO")
        expect(int(cli("COMMAND", "COUNT")) > 15, "COMMAND COUNT")
        expect(b"summary" in cli("COMMAND", "DOCS", "get"), "COMMAND DOCS")
        expect(b"readonly" in cli("COMMAND", "INFO", "get"), "COMMAND INFO")
        done = cli("NONSENSE", "a")
        expect(done.startswith(b"ERR unknown command 'NONSENSE', with args beginning with: 'a'"), f"answered {done!r}")
    script = b"SET a 1\nGET a\nSELECT 2\nGET a\nSELECT 0\nDEL a\n"
    expect(tool("redis-cli", server, data=script) == b"OK\n1\nOK\n\nOK\n1\n", "commands from a pipe")
    pipe = b"".join(b"*3\r\n$3\r\nSET\r\n$4\r\nk%03d\r\n$1\r\nv\r\n" % i for i in range(1000))
    expect(b"errors: 0, replies: 1000" in tool("redis-cli", server, "--pipe", data=pipe), "--pipe")
    expect(server.stop() == 0, f"exit status; log:\n{server.log()}")


def server_redis_benchmark_runs():
    """The tool by which people will judge the server."""
    for options in ((), ("-P", "16"), ("-P", "16", "-c", "200", "-r", "10000", "-d", "100")):
        server = Server(name=SERVER)
        output = tool("redis-benchmark", server, "-t", "set,get", "-n", REQUESTS, "-q", *options).decode()
        results = [line.split("\r")[-1] for line in output.splitlines() if "requests per second" in line]
        expect(len(results) == 2, f"printed {output!r}")
        print("   ", " ".join(options) or "no pipeline", "|", " | ".join(results))
        expect(server.stop() == 0, f"exit status; log:\n{server.log()}")


if __name__ == "__main__":
    if shutil.which("redis-cli") is None or shutil.which("redis-benchmark") is None:
        skip("redis-cli and redis-benchmark are not installed (Debian package redis-tools)")
    run_tests([server_redis_cli_commands_work, server_redis_benchmark_runs])

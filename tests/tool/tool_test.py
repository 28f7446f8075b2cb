"""kvstore_tool on a folder that a server made: what is sound is said to be, what is damaged is named, and nothing is changed."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "server"))
from support import Server, program, work_folder  # noqa: E402

RECORDS = 20000


def tool(*arguments):
    run = subprocess.run([program("kvstore_tool"), *arguments], capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout, run.stderr


def fill(folder):
    """Records in segments and, the last of them, in a log."""
    server = Server("--sync", "os", "--memory", "1M", folder=folder)
    lines = "".join(f"PUT key{i:06} {'value' * 10}{i}\n" for i in range(RECORDS))
    client = subprocess.run([program("kvstore_client"), "127.0.0.1", str(server.port)], input=lines, text=True,
                            capture_output=True, timeout=60)
    assert client.returncode == 0 and client.stdout.count("OK\n") == RECORDS, client.stderr
    status, _, error = tool("verify", folder)
    assert status == 1 and "LOCK" in error, f"a running server's folder was opened: {status} {error}"
    server.stop()


def contents(folder):
    return {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def check_sound(folder):
    before = contents(folder)
    status, out, error = tool("verify", folder)
    assert status == 0 and out.startswith("ok: manifest, "), f"{status} {out} {error}"
    status, out, _ = tool("stats", folder)
    assert status == 0 and "level " in out and "segment_entries: " in out, out
    status, out, _ = tool("dump", folder)
    assert status == 0 and 'owner "kvstore-server"' in out and "add segment" in out, out
    segment = next(name for name in sorted(before) if name.endswith(".seg"))
    status, out, _ = tool("dump", folder, segment)
    entries = [line for line in out.splitlines() if " put " in line]
    assert status == 0 and entries and '= "valuevalue' in entries[0], out[:300]
    assert entries == sorted(entries, key=lambda line: line.split('"')[1]), "a dump that is not in order"
    assert contents(folder) == before, "looking changed the folder"
    return segment


def check_damage(folder, name, offset):
    """A flipped bit is found, the file named, and the folder left as it is."""
    copy = folder + ".damaged"
    shutil.copytree(folder, copy)
    flip(os.path.join(copy, name), offset)
    before = contents(copy)
    status, out, error = tool("verify", copy)
    assert status == 1 and name in error, f"damage in {name} at {offset}: {status} {out} {error}"
    assert contents(copy) == before, f"damage in {name}: the folder was changed"
    shutil.rmtree(copy)


def check_usage(folder):
    for arguments, expected in ((("verify",), 2), (("frobnicate", folder), 2), (("verify", folder + "/nothing"), 1),
                                (("dump", folder, "notes.txt"), 1), (("dump", folder, "999999.seg"), 1)):
        status, _, error = tool(*arguments)
        assert status == expected and error, f"{arguments}: {status} {error}"
    assert tool("--help")[0] == 0


def main():
    folder = os.path.join(work_folder(), "data")
    fill(folder)
    segment = check_sound(folder)
    manifest = next(name for name in contents(folder) if name.startswith("MANIFEST"))
    size = contents(folder)[segment]
    for offset in (0, 40, 70, size // 2, size - 5):
        check_damage(folder, segment, offset)
    for offset in (0, 50, 80, 130):
        check_damage(folder, manifest, offset)
    check_damage(folder, "CURRENT", 70)
    check_usage(folder)


main()

"""kvstore_tool on a folder that a server made: what is sound is said to be, what is damaged is named, and nothing is changed but by repair --apply."""
import hashlib
import json
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
    new = folder + ".new"
    for arguments in (("repair", folder, "--plan"), ("repair", folder, "--apply"), ("salvage", folder, new)):
        status, out, error = tool(*arguments)
        assert status == 1 and os.path.join(folder, "LOCK") in error and not out, f"{arguments} beside a server: {error}"
    assert not os.path.exists(new)
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


def hashes(folder):
    """Of every file, by its path: what must not change."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.relpath(os.path.join(place, name), folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def read_all(folder):
    """What a server shows of a folder, in order."""
    server = Server(folder=folder)
    client = subprocess.run([program("kvstore_client"), "127.0.0.1", str(server.port)], input='RANGE "" ""\n', text=True,
                            capture_output=True, timeout=60)
    server.stop()
    assert client.returncode == 0, client.stderr
    return [line.split() for line in client.stdout.splitlines() if line.startswith("key")]


def check_report(report, folder, files):
    """A report in JSON names every damaged file, and where."""
    assert report["folder"] == folder and report["mode"] in ("patch", "rebuild"), report
    named = {finding["file"] for finding in report["findings"]}
    assert named == files, f"{named}, expected {files}"
    for finding in report["findings"]:
        assert finding["what"] and isinstance(finding["lost"], bool) and finding["offset"] >= 0, finding
        if finding["part"] == "segment" and finding["lost"]:
            assert finding["end"] > finding["offset"] and finding["entries"] > 0, finding
            assert finding["first_key"] <= finding["last_key"], finding
    assert files <= set(report["originals"]), report["originals"]


def lost_keys(report):
    """The ranges of keys that a report gives up."""
    # A client's key is stored behind the number of its logical database.
    return [(finding["first_key"][1:], finding["last_key"][1:]) for finding in report["findings"]
            if finding["lost"] and finding["part"] == "segment"]


def check_repair(folder, segment, everything):
    """A plan changes nothing; applying it loses what it said; the originals stay; salvage never touches its source."""
    copy, new = folder + ".broken", folder + ".salvaged"
    shutil.copytree(folder, copy)
    flip(os.path.join(copy, segment), 200)
    before = hashes(copy)

    status, plan_text, error = tool("repair", copy, "--plan")
    assert status == 1 and segment in plan_text and "lost: " in plan_text and not error, f"{status} {plan_text} {error}"
    assert f"next: kvstore_tool repair --apply {copy}" in plan_text, plan_text
    status, out, _ = tool("repair", copy, "--plan", "--json")
    plan = json.loads(out)
    assert status == 1 and plan["lost"], out
    check_report(plan, copy, {segment})
    assert hashes(copy) == before, "a plan changed the folder"

    status, out, error = tool("salvage", copy, new, "--json")
    assert status == 0, error
    assert hashes(copy) == before, "a salvage changed its source"
    assert json.loads(out)["findings"] == plan["findings"], out
    status, _, error = tool("salvage", copy, new)
    assert status == 1 and "is there already" in error, error

    status, out, error = tool("repair", copy, "--apply", "--json")
    report = json.loads(out)
    assert status == 0 and report["findings"] == plan["findings"] and report["originals"] == plan["originals"], out
    for name in report["originals"]:
        assert hashes(copy)[os.path.join("lost", name)] == before[name], f"the original of {name} is gone"
    for place in (copy, new):
        status, out, error = tool("verify", place)
        assert status == 0, error
        shown, values = dict(read_all(place)), dict(everything)
        missing = [key for key in values if key not in shown]
        assert missing and all(values.get(key) == shown[key] for key in shown), f"{place}: a value that never was"
        for key in missing:
            assert any(first <= key <= last for first, last in lost_keys(plan)), f"{key} was lost without a word"
    status, out, _ = tool("repair", copy, "--plan")
    assert status == 0 and "nothing to repair" in out, out
    shutil.rmtree(copy)
    shutil.rmtree(new)


def check_lost_manifest(folder, manifest, everything):
    """With its manifest gone the data is still there, and a server takes it once it is told whose it is."""
    copy = folder + ".rebuilt"
    shutil.copytree(folder, copy)
    os.unlink(os.path.join(copy, manifest))
    status, _, error = tool("verify", copy)
    assert status == 1 and f"next: kvstore_tool repair --plan {copy}" in error, error
    status, out, error = tool("repair", copy, "--apply", "--owner", "kvstore-server")
    assert status == 0 and "nothing is lost" in out, f"{out} {error}"
    assert read_all(copy) == everything
    shutil.rmtree(copy)


def check_repair_usage(folder):
    sound = hashes(folder)
    for arguments in (("repair", folder), ("repair", folder, "--plan", "--apply"), ("repair", "--plan"),
                      ("salvage", folder), ("verify", folder, "--plan"), ("dump", folder, "--json"),
                      ("repair", folder, "--plan", "--frobnicate"), ("salvage", folder, "a", "b")):
        status, out, error = tool(*arguments)
        assert status == 2 and error and not out, f"{arguments}: {status} {out} {error}"
    for arguments in (("repair", folder + "/nothing", "--plan"), ("salvage", folder + "/nothing", folder + "/new")):
        status, _, error = tool(*arguments)
        assert status == 1 and "nothing" in error, f"{arguments}: {status} {error}"
    status, _, error = tool("repair", folder, "--apply", "--owner", "somebody")
    assert status == 1 and "kvstore-server" in error, error
    status, out, error = tool("repair", folder, "--plan")
    assert status == 0 and "nothing to repair" in out, f"{status} {out} {error}"
    status, out, _ = tool("repair", folder, "--apply", "--json")
    assert status == 0 and json.loads(out)["mode"] == "nothing", out
    assert hashes(folder) == sound, "a sound folder was changed"


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
    check_repair_usage(folder)
    everything = [[f"key{i:06}", f"{'value' * 10}{i}"] for i in range(RECORDS)]
    check_repair(folder, segment, everything)
    check_lost_manifest(folder, manifest, everything)


main()

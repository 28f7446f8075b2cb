"""What a database must hold: the committed value of each key and the ones that are pending, in a file, as RocksDB's db_stress keeps it.

The driver writes to the file before it sends, and when it was answered; the server knows nothing of it. So after any death of the server the file says what
must be there: of each writer, the state after some prefix of the commands that it sent, which is no shorter than what was acknowledged.

Nothing but numbers has to be kept, for the n-th change of a key is always the same: whether it deletes, and the value otherwise, follow from the seed, the key
and n (`change`). A value names its key and n and has a checksum, so that a wrong byte is seen, and it can be told where it comes from.

The file: a header (magic, seed, writers, keys of a writer), and for each writer
    its keys   committed, first pending, next change   (u64 each; the changes from first pending to before next may be there or not)
    pending    a count (u64), then the commands that were sent and not answered, each as two pairs of key and change (u64; change 0: no second key)
"""
import base64
import hashlib
import mmap
import os
import re
import struct
import zlib

MAGIC = b"KVSEXP1\n"
HEADER = struct.Struct("<8sQQQ")
KEY = struct.Struct("<QQQ")
COMMAND = struct.Struct("<QQQQ")
COUNT = struct.Struct("<Q")
PENDING_MAX = 2048  # commands of a writer that may be unanswered
DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"
SIZES = (0, 12, 100, 100, 900, 4000)
VALUE = re.compile(rb"^([^/]+)/(\d+)/([0-9a-f]{8})/(.*)$", re.DOTALL)


class Violation(AssertionError):
    """The server broke its promise."""


def describe(key, value):
    """A sentence on what a value is that should not be there."""
    if value is None:
        return "absent"
    match = VALUE.match(value)
    if not match:
        return f"{value[:60]!r} ({len(value)} bytes), which nobody wrote"
    where = "" if match[1] == key else f" of the key {match[1].decode(errors='replace')}"
    is_sound = int(match[3], 16) == zlib.crc32(match[1] + b"/" + match[2] + b"/" + match[4])
    return f"change {int(match[2])}{where}" + ("" if is_sound else ", with wrong bytes")


class ExpectedState:
    """The file, mapped. Each writer has its own part, which only its thread touches; reading another's numbers is safe."""

    def __init__(self, path, seed=0, writers=0, keys=0):
        """Makes the file, or opens one that is there, whose numbers then count."""
        is_new = not os.path.exists(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if is_new:
                os.ftruncate(descriptor, HEADER.size + writers * self._part_bytes(keys))
            self._map = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        if is_new:
            HEADER.pack_into(self._map, 0, MAGIC, seed, writers, keys)
            for writer in range(writers):
                for index in range(keys):
                    KEY.pack_into(self._map, self._key_at(writer, index, keys), 0, 1, 1)
        magic, self.seed, self.writers, self.keys = HEADER.unpack_from(self._map, 0)
        if magic != MAGIC:
            raise ValueError(f"{path} is no file of expected values")

    @staticmethod
    def _part_bytes(keys):
        return keys * KEY.size + COUNT.size + PENDING_MAX * COMMAND.size

    def _key_at(self, writer, index, keys=None):
        return HEADER.size + writer * self._part_bytes(keys or self.keys) + index * KEY.size

    def key(self, writer, index):
        return b"w%d-%d" % (writer, index)

    def is_text(self, writer):
        """Whether the values of the writer can be sent in the text protocol without quotes."""
        return writer % 2 == 1

    def change(self, writer, index, number):
        """The number-th change of a key: its new value, None for a deletion. 0 is the state before the first."""
        if number == 0:
            return None
        key = self.key(writer, index)
        name = b"%d/%s/%d" % (self.seed, key, number)
        dice = hashlib.blake2b(name, digest_size=4).digest()
        if dice[0] < 50:
            return None
        size = SIZES[dice[1] % len(SIZES)]
        filler = hashlib.shake_128(name).digest(size // 2 or 1) * 2
        if self.is_text(writer):
            filler = base64.b64encode(filler)
        body = key + b"/%d/" % number
        return body + b"%08x/" % zlib.crc32(body + filler) + filler

    def numbers(self, writer, index):
        """Committed, first pending and next change of a key."""
        return KEY.unpack_from(self._map, self._key_at(writer, index))

    def _set_numbers(self, writer, index, committed, first, end):
        KEY.pack_into(self._map, self._key_at(writer, index), committed, first, end)

    # ---- The pending commands of a writer ----

    def _pending_at(self, writer):
        return self._key_at(writer, self.keys)

    def pending(self, writer):
        """The commands that were not answered, oldest first: lists of (index, change)."""
        at = self._pending_at(writer)
        commands = []
        for i in range(COUNT.unpack_from(self._map, at)[0]):
            a, m, b, n = COMMAND.unpack_from(self._map, at + COUNT.size + i * COMMAND.size)
            commands.append([(a, m), (b, n)] if n else [(a, m)])
        return commands

    def _set_pending(self, writer, commands):
        at = self._pending_at(writer)
        for i, command in enumerate(commands):
            (a, m), (b, n) = command[0], command[1] if len(command) == 2 else (0, 0)
            COMMAND.pack_into(self._map, at + COUNT.size + i * COMMAND.size, a, m, b, n)
        COUNT.pack_into(self._map, at, len(commands))

    def begin(self, writer, commands):
        """Note commands that are about to be sent; each is a list of indexes of keys, one or two. Gives them with their changes."""
        begun = []
        for indexes in commands:
            command = []
            for index in indexes:
                committed, first, end = self.numbers(writer, index)
                self._set_numbers(writer, index, committed, first, end + 1)
                command.append((index, end))
            begun.append(command)
        pending = self.pending(writer) + begun
        if len(pending) > PENDING_MAX:
            raise ValueError(f"more than {PENDING_MAX} commands of a writer are pending")
        self._set_pending(writer, pending)
        return begun

    def answer(self, writer, begun, outcomes):
        """The first of these commands were answered: each DONE (what came before it is over), REFUSED (it never happens), or UNKNOWN (it stays pending)."""
        pending, over = self.pending(writer), []
        for command, outcome in zip(begun, outcomes):
            if outcome != UNKNOWN:
                over.append(command)
            for index, number in command if outcome == DONE else ():
                self._set_numbers(writer, index, number, number + 1, self.numbers(writer, index)[2])
        over_changes = {command[0] for command in over}
        left = [command for command in pending if command[0] not in over_changes]
        self._set_pending(writer, left)
        open_keys = {index for command in left for index, _ in command}
        for command in over:
            for index, _ in command:
                committed, _, end = self.numbers(writer, index)
                if index not in open_keys:
                    self._set_numbers(writer, index, committed, end, end)

    # ---- After a restart ----

    def settle(self, writer, found):
        """Check what a new server has of a writer's keys, values by index, and take it for committed.

        It must be the state after some prefix of the pending commands: no hole, no half command, nothing of another key, no wrong byte."""
        pending = self.pending(writer)
        state = [self.change(writer, index, self.numbers(writer, index)[0]) for index in range(self.keys)]
        numbers = [self.numbers(writer, index)[0] for index in range(self.keys)]
        wrong = {index for index in range(self.keys) if found[index] != state[index]}
        for command in pending:
            if not wrong:
                break
            for index, number in command:
                state[index], numbers[index] = self.change(writer, index, number), number
                (wrong.discard if found[index] == state[index] else wrong.add)(index)
        if wrong:
            raise Violation(self._complaint(writer, found, pending))
        for index in range(self.keys):
            end = self.numbers(writer, index)[2]
            self._set_numbers(writer, index, numbers[index], end, end)
        self._set_pending(writer, [])

    def _complaint(self, writer, found, pending):
        for index in range(self.keys):
            committed = self.numbers(writer, index)[0]
            numbers = [number for command in pending for each, number in command if each == index]
            if found[index] not in [self.change(writer, index, number) for number in (committed, *numbers)]:
                key = self.key(writer, index)
                kind = "a deletion" if self.change(writer, index, committed) is None else "a value"
                return f"{key.decode()} is {describe(key, found[index])}; committed is change {committed} ({kind}), pending are {numbers}"
        return (f"the keys of writer {writer} are each in a possible state, but together in none that a prefix of its "
                f"{len(pending)} pending commands leaves: there is a hole")

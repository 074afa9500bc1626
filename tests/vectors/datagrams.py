"""What both readers share: the clear start of datagrams, the seal, and the golden files."""

import struct
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

HERE = Path(__file__).parent
PUBLIC, HEADER, TAG, WINDOW, MAX_FRAME = 24, 48, 16, 8192, 16 << 20


class Dropped(Exception):
    """The datagram counts for nothing, for the cause given."""


def public_header(datagram):
    """Type, epoch, stream id, packet number."""
    if len(datagram) < PUBLIC + TAG:
        raise Dropped("malformed")
    version, kind, epoch, stream, packet = struct.unpack(">BBH12sQ", datagram[:PUBLIC])
    if version != 1 or not (1 <= kind <= 6 or 16 <= kind <= 31):
        raise Dropped("malformed")
    return kind, epoch, stream, packet


def media_header(datagram):
    if len(datagram) <= HEADER + TAG:
        raise Dropped("malformed")
    fields = struct.unpack(">IHHHBBIHIH", datagram[PUBLIC:HEADER])
    names = ("frame", "shard", "data", "parity", "source", "flags", "length")
    header = dict(zip(names, fields))
    header["captured"] = fields[7] << 32 | fields[8]
    header["restart"] = None if fields[9] == 0xFFFF else fields[9]
    shards = header["data"] + header["parity"]
    if header["data"] == 0 or shards > 65535 or header["shard"] >= shards or header["flags"] > 1:
        raise Dropped("malformed")
    if not header["data"] <= header["length"] <= MAX_FRAME:
        raise Dropped("malformed")
    return header


def opened(key, packet, datagram, clear):
    """What is sealed behind the first `clear` bytes of the datagram."""
    nonce = bytes(4) + struct.pack(">Q", packet)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, datagram[clear:], datagram[:clear])
    except InvalidTag:
        raise Dropped("forged") from None


class Window:
    """Which packet numbers have been taken."""

    def __init__(self):
        self.taken = set()

    def look(self, packet):
        if packet == 2**64 - 1 or packet + WINDOW <= max(self.taken, default=0):
            raise Dropped("too-old")
        if packet in self.taken:
            raise Dropped("replayed")


def lines(name):
    return [line for line in (HERE / name).read_text().splitlines() if not line.startswith("#")]


def values(name):
    """The values of a golden file: for each name a list in the file's order."""
    found = {}
    for line in lines(name):
        key, value = line.split(" = ")
        found.setdefault(key, []).append(value)
    return found


def hold_to_causes(name, handle):
    """Has `handle` drop each case of a list for the right reason; returns how many there were."""
    cases = [line.split(" | ") for line in lines(name)]
    for cause, case, datagram in cases:
        try:
            handle(b"" if datagram == "-" else bytes.fromhex(datagram))
        except Dropped as why:
            assert str(why) == cause, f"{case}: {why}, not {cause}"
        else:
            raise AssertionError(f"{case}: accepted, not {cause}")
    return len(cases)

#!/usr/bin/env python3
"""Reads the golden vectors with a receiver of its own, in no more than 150 lines.

Needs Python 3.9 and the `cryptography` package; run it anywhere. It shares no code with the Rust receiver:
if both agree, the description of the format is enough to write another one. The steps are those that
any receiver takes: public header, stream key, replay window, media header, place in the frame, tag.
"""

import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
HEADER, TAG, WINDOW, MAX_FRAME = 48, 16, 8192, 16 << 20


def hkdf(key, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


class Dropped(Exception):
    pass


class Receiver:
    def __init__(self, file_key):
        self.file_key = file_key
        self.stream = None
        self.taken = set()
        self.delivered = None
        self.frames = {}

    def stream_key(self, stream):
        return hkdf(self.file_key, stream, b"sealcam 1 media camera-to-viewer", 32)

    def fingerprint(self):
        text = hkdf(self.file_key, None, b"sealcam 1 fingerprint", 8).hex()
        return "-".join(text[at : at + 4] for at in range(0, 16, 4))

    def handle(self, datagram):
        """Returns a whole frame and its header, or None; raises Dropped."""
        if len(datagram) < 24 + TAG:
            raise Dropped("malformed")
        version, kind, epoch, stream, packet = struct.unpack(">BBH12sQ", datagram[:24])
        if version != 1 or not (1 <= kind <= 5 or 16 <= kind <= 31):
            raise Dropped("malformed")
        if kind != 1 or epoch != 0:
            raise Dropped("unsupported")
        if self.stream and stream[:4] < self.stream[:4]:
            raise Dropped("stale-stream")
        if stream == self.stream:
            if packet == 2**64 - 1 or packet + WINDOW <= max(self.taken):
                raise Dropped("too-old")
            if packet in self.taken:
                raise Dropped("replayed")
        header = self.media_header(datagram)
        offset, last = self.place(header, len(datagram) - HEADER - TAG)
        nonce = bytes(4) + struct.pack(">Q", packet)
        try:
            cipher = ChaCha20Poly1305(self.stream_key(stream))
            plain = cipher.decrypt(nonce, datagram[HEADER:], datagram[:HEADER])
        except InvalidTag:
            raise Dropped("forged") from None
        if stream != self.stream:
            self.stream, self.taken, self.frames, self.delivered = stream, set(), {}, None
        self.taken.add(packet)
        shards = self.frames.setdefault(header["frame"], {})
        shards[header["shard"]] = (offset, plain)
        if len(shards) < header["data"]:
            return None
        self.delivered = header["frame"]
        frame = b"".join(plain for _, plain in sorted(shards.values()))
        assert len(frame) == header["length"]
        return frame, header

    def media_header(self, datagram):
        if len(datagram) <= HEADER + TAG:
            raise Dropped("malformed")
        fields = struct.unpack(">IHHHBBIHIH", datagram[24:HEADER])
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

    def place(self, header, size):
        if self.delivered is not None and header["frame"] <= self.delivered:  # no wrap in the vectors
            raise Dropped("late")
        index, shards, length = header["shard"], header["data"], header["length"]
        last = index + 1 == shards
        each = size if not last or shards == 1 else (length - size) // index
        offset = index * each
        right = (length - offset == size) if last else (size % 2 == 0 and 0 < length - (shards - 1) * size <= size)
        if not right:
            raise Dropped("inconsistent")
        return offset, last


def lines(name):
    return [line for line in (HERE / name).read_text().splitlines() if not line.startswith("#")]


def main():
    values = {}
    for line in lines("stream.txt"):
        name, value = line.split(" = ")
        values.setdefault(name, []).append(value)
    receiver = Receiver(bytes.fromhex(values["file-key"][0]))
    assert receiver.fingerprint() == values["fingerprint"][0]
    assert receiver.stream_key(bytes.fromhex(values["stream-id"][0])).hex() == values["stream-key"][0]

    whole = [receiver.handle(bytes.fromhex(datagram)) for datagram in values["datagram"]]
    whole = [result for result in whole if result]
    assert len(whole) == len(values["frame"])
    for nth, (frame, header) in enumerate(whole):
        assert frame.hex() == values["frame"][nth]
        assert header["captured"] == int(values["captured-us"][nth])
        assert header["source"] == int(values["source"][nth])
        assert header["flags"] == int(values["notice"][nth])

    cases = [line.split(" | ") for line in lines("malformed.txt")]
    for cause, case, datagram in cases:
        try:
            receiver.handle(b"" if datagram == "-" else bytes.fromhex(datagram))
            sys.exit(f"{case}: accepted, not {cause}")
        except Dropped as why:
            assert str(why) == cause, f"{case}: {why}, not {cause}"
    print(f"{len(whole)} frames whole, {len(cases)} datagrams dropped for the right reason")


main()

#!/usr/bin/env python3
"""Reads the golden vectors with receivers of its own: here for streams under a shared key, in about a hundred
lines, and in paired.py for paired viewers.

Needs Python 3.9 and the `cryptography` package; run it anywhere. It shares no code with the Rust receiver:
if both agree, the description of the format is enough to write another one. The steps are those that
any receiver takes: public header, stream key, replay window, media header, place in the frame, tag.
"""

import sys

# Nothing is to be left beside the vectors.
sys.dont_write_bytecode = True

from cryptography.hazmat.primitives.hashes import SHA256  # noqa: E402
from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: E402

import paired  # noqa: E402
import primitives  # noqa: E402
from datagrams import HEADER, TAG, Dropped, Window, hold_to_causes, media_header  # noqa: E402
from datagrams import opened, public_header, values  # noqa: E402


def hkdf(key, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


class Receiver:
    def __init__(self, file_key):
        self.file_key = file_key
        self.stream = None
        self.window = Window()
        self.delivered = None
        self.frames = {}

    def stream_key(self, stream):
        return hkdf(self.file_key, stream, b"sealcam 1 media camera-to-viewer", 32)

    def fingerprint(self):
        text = hkdf(self.file_key, None, b"sealcam 1 fingerprint", 8).hex()
        return "-".join(text[at : at + 4] for at in range(0, 16, 4))

    def handle(self, datagram):
        """Returns a whole frame and its header, or None; raises Dropped."""
        kind, epoch, stream, packet = public_header(datagram)
        if kind != 1 or epoch != 0:
            raise Dropped("unsupported")
        if self.stream and stream[:4] < self.stream[:4]:
            raise Dropped("stale-stream")
        if stream == self.stream:
            self.window.look(packet)
        header = media_header(datagram)
        offset = self.place(header, len(datagram) - HEADER - TAG)
        plain = opened(self.stream_key(stream), packet, datagram, HEADER)
        if stream != self.stream:
            self.stream, self.window, self.frames, self.delivered = stream, Window(), {}, None
        self.window.taken.add(packet)
        shards = self.frames.setdefault(header["frame"], {})
        shards[header["shard"]] = (offset, plain)
        if len(shards) < header["data"]:
            return None
        self.delivered = header["frame"]
        frame = b"".join(plain for _, plain in sorted(shards.values()))
        assert len(frame) == header["length"]
        return frame, header

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
        return offset


def main():
    given = values("stream.txt")
    receiver = Receiver(bytes.fromhex(given["file-key"][0]))
    assert receiver.fingerprint() == given["fingerprint"][0]
    assert receiver.stream_key(bytes.fromhex(given["stream-id"][0])).hex() == given["stream-key"][0]

    whole = [receiver.handle(bytes.fromhex(datagram)) for datagram in given["datagram"]]
    whole = [result for result in whole if result]
    assert len(whole) == len(given["frame"])
    for nth, (frame, header) in enumerate(whole):
        assert frame.hex() == given["frame"][nth]
        assert header["captured"] == int(given["captured-us"][nth])
        assert header["source"] == int(given["source"][nth])
        assert header["flags"] == int(given["notice"][nth])
    dropped = hold_to_causes("malformed.txt", receiver.handle)
    print(f"shared key: {len(whole)} frames whole, {dropped} datagrams dropped for the right reason")

    primitives.check()
    paired.check()


main()

"""The second reader for paired viewers: handshake, gate, session and signed media, from their descriptions.

The handshake is Noise_IK_25519_ChaChaPoly_BLAKE2s of the Noise Protocol Framework, revision 34, worked out from
both ends' secrets; the vectors must come out byte for byte.
"""

import copy
import ipaddress
import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from datagrams import HEADER, PUBLIC, TAG, Dropped, Window, hold_to_causes, media_header
from datagrams import opened, public_header, values
from primitives import blake2s, blake2s_mac, blake3, ed25519_is_signed, ed25519_public, hchacha20
from primitives import noise_hkdf, x25519, x25519_public

HASH, SIGNATURE, PLAN = 16, 64, 12


class Noise:
    """Noise's symmetric state."""

    def __init__(self, responder):
        self.hash = self.chaining = blake2s(b"Noise_IK_25519_ChaChaPoly_BLAKE2s")
        self.mix_hash(b"sealcam 1")
        self.mix_hash(responder)

    def mix_hash(self, data):
        self.hash = blake2s(self.hash, data)

    def mix_key(self, material):
        self.chaining, self.key = noise_hkdf(self.chaining, material)
        self.counter = 0

    def seal_and_hash(self, plain):
        nonce = bytes(4) + struct.pack("<Q", self.counter)
        self.counter += 1
        sealed = ChaCha20Poly1305(self.key).encrypt(nonce, plain, self.hash)
        self.mix_hash(sealed)
        return sealed

    def token(self, public):
        self.mix_hash(public)
        return public


def handshake(camera, viewer, viewers_ephemeral, cameras_ephemeral, verdict):
    """Both of Noise's messages and both session keys, computed as the camera and the viewer together can."""
    noise = Noise(x25519_public(camera))
    ephemeral = x25519_public(viewers_ephemeral)
    first = noise.token(ephemeral)
    noise.mix_key(x25519(camera, ephemeral))  # es
    first += noise.seal_and_hash(x25519_public(viewer))
    noise.mix_key(x25519(viewer, x25519_public(camera)))  # ss
    first += noise.seal_and_hash(b"")
    answering = x25519_public(cameras_ephemeral)
    second = noise.token(answering)
    noise.mix_key(x25519(viewers_ephemeral, answering))  # ee
    noise.mix_key(x25519(viewer, answering))  # se
    second += noise.seal_and_hash(bytes((verdict, 0, 0, 0)))
    return first, second, noise_hkdf(noise.chaining, b"")


def fingerprint(public):
    text = blake2s(b"sealcam 1 identity", public)[:8].hex()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def check_handshake():
    """Returns the session: its keys to the camera and to the viewer, and both ends' ids."""
    given = values("handshake.txt")
    one = lambda name: bytes.fromhex(given[name][0])  # noqa: E731
    camera, viewer, viewer_id, camera_id = map(
        one, ("camera-secret", "viewer-secret", "viewer-session-id", "camera-session-id")
    )
    for name, secret in (("camera", camera), ("viewer", viewer)):
        assert x25519_public(secret) == one(f"{name}-public")
        assert fingerprint(one(f"{name}-public")) == given[f"{name}-fingerprint"][0]
    sessions = []
    for nth, verdict in enumerate(given["verdict"]):
        ephemerals = one("viewer-ephemeral-secret"), bytes.fromhex(given["camera-ephemeral-secret"][nth])
        first, second, keys = handshake(camera, viewer, *ephemerals, int(verdict))
        body = b"\x01\x10\0\0" + viewer_id + first
        answer = b"\x01\x11\0\0" + viewer_id + camera_id + second
        assert answer.hex() == given["answer"][nth]
        assert [key.hex() for key in keys] == [given["key-to-camera"][nth], given["key-to-viewer"][nth]]
        sessions.append(keys)
    public = one("camera-public")
    first_mac = blake2s_mac(blake2s(b"sealcam 1 mac1", public), body)
    assert body + first_mac + bytes(16) == one("opening")
    for nth, address in enumerate(given["address"]):
        sealed, cookie = check_cookie(given, nth, address, first_mac, one("gate-secret"), public)
        assert b"\x01\x12\0\0" + viewer_id + sealed == bytes.fromhex(given["cookie-reply"][nth])
        second_mac = blake2s_mac(cookie, body, first_mac)
        assert body + first_mac + second_mac == bytes.fromhex(given["opening-with-cookie"][nth])
    return *sessions[0], viewer_id, camera_id


def check_cookie(given, nth, address, first_mac, secret, public):
    host, port = address.rsplit(":", 1)
    host = ipaddress.ip_address(host.strip("[]"))
    host = host.packed if host.version == 6 else bytes(10) + b"\xff\xff" + host.packed
    cookie = blake2s_mac(secret, host, struct.pack(">H", int(port)))
    assert cookie.hex() == given["cookie"][nth]
    nonce = bytes.fromhex(given["cookie-nonce"][nth])
    key = hchacha20(blake2s(b"sealcam 1 cookie", public), nonce[:16])
    return nonce + ChaCha20Poly1305(key).encrypt(bytes(4) + nonce[16:], cookie, first_mac), cookie


class Fields:
    """What is left of a control message."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        if len(self.data) < size:
            raise Dropped("malformed")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def one_of(self, *allowed):
        value = self.number(1)
        demand(value in allowed)
        return value


def demand(right):
    if not right:
        raise Dropped("malformed")


def control(plain):
    """Reads a control message: its kind, and a grant's fields."""
    fields = Fields(plain)
    kind, grant = fields.number(1), None
    if kind == 1:
        fields.number(4)
        held, epoch = fields.one_of(0, 1), fields.number(2)
        demand(held or epoch == 0)
        fields.one_of(0, 1, 2)
    elif kind in (2, 19):
        fields.take(8)
    elif kind in (3, 18):
        fields.take(4)
        demand(len(fields.data) <= 1024)
        fields.data = b""
    elif kind == 16:
        grant = read_grant(fields)
    elif kind == 17:
        fields.one_of(0, 1, 2)
    elif kind == 20:
        fields.one_of(1, 2, 3)
    else:
        demand(kind == 4)
    demand(not fields.data)
    return kind, grant


def read_grant(fields):
    grant = {"epoch": fields.number(2), "key": fields.take(32), "stream": fields.take(12)}
    signed, signer = fields.one_of(0, 1), fields.take(32)
    demand(signed or signer == bytes(32))
    grant["signer"] = signer if signed else None
    fields.one_of(0, 1, 2)
    grant["datagram"], grant["max_frame"] = fields.number(2), fields.number(4)
    family, ip, port = fields.one_of(0, 4, 6), fields.take(16), fields.number(2)
    demand(family or (ip == bytes(16) and port == 0))
    demand(family != 4 or ip[4:] == bytes(12))
    length, name = fields.number(1), fields.take(32)
    demand(1 <= length <= 32 and name[length:] == bytes(32 - length))
    name = name[:length].decode("ascii", "replace")
    demand(name[0].isalnum() and name.isascii() and all(c.isalnum() or c in "-_." for c in name))
    grant["camera"] = name
    return grant


def newer(a, b, bits):
    return 0 < (a - b) % 2**bits < 2 ** (bits - 1)


class Viewer:
    """Opens a session, takes the keys that are granted in it, and puts signed frames together."""

    def __init__(self, key, own):
        self.key, self.own, self.session = key, own, Window()
        self.stream = None

    def handle(self, datagram):
        """Returns a control message and its grant, a whole frame and its header, or None; raises Dropped."""
        kind, epoch, stream, packet = public_header(datagram)
        if kind == 6:
            return self.hear(stream, packet, datagram)
        if kind not in (1, 2):
            raise Dropped("unsupported")
        if stream != self.stream:
            raise Dropped("other-stream")
        if epoch not in self.keys:
            raise Dropped("unknown-key")
        key, window = self.keys[epoch]
        window.look(packet)
        header = media_header(datagram)
        demand(kind == 1 or header["restart"] is None)
        if self.turn and newer(self.turn[0], epoch, 16) and not newer(self.turn[1], header["frame"], 32):
            raise Dropped("unknown-key")
        header.update(epoch=epoch, packet=packet)
        plain = opened(key, packet, datagram, HEADER)
        return self.manifest(header, datagram, plain) if kind == 2 else self.shard(header, plain)

    def hear(self, to, packet, datagram):
        if to != self.own:
            raise Dropped("other-stream")
        demand(len(datagram) <= PUBLIC + 1 + 4 + 1024 + TAG)
        self.session.look(packet)
        plain = opened(self.key, packet, datagram, PUBLIC)
        self.session.taken.add(packet)
        kind, grant = control(plain)
        if grant:
            self.take_grant(grant)
        return plain, grant

    def take_grant(self, grant):
        if grant["stream"] != self.stream:
            self.stream, self.signer, self.max_frame = grant["stream"], grant["signer"], grant["max_frame"]
            self.keys, self.turn, self.delivered = {}, None, None
            self.vouched, self.waiting, self.frames = {}, {}, {}
        self.keys.setdefault(grant["epoch"], (grant["key"], Window()))

    def demand_wanted(self, header):
        if header["length"] > self.max_frame:
            raise Dropped("too-large")
        if self.delivered is not None and not newer(header["frame"], self.delivered, 32):
            raise Dropped("late")

    def count_in(self, header):
        self.keys[header["epoch"]][1].taken.add(header["packet"])
        if not self.turn or newer(header["epoch"], self.turn[0], 16):
            self.turn = header["epoch"], header["frame"]

    def manifest(self, header, datagram, plain):
        """Takes the hashes that the camera has signed, then the shards that waited for them."""
        demand(len(plain) >= PLAN + 2)
        plan = dict(zip(("shard", "manifests", "first"), struct.unpack(">HHQ", plain[:PLAN])))
        (count,) = struct.unpack(">H", plain[PLAN : PLAN + 2])
        demand(len(plain) >= PLAN + 2 + count * HASH + SIGNATURE)
        demand(0 < count <= header["data"] + header["parity"] - header["shard"])
        hashes, rest = plain[PLAN + 2 :][: count * HASH], plain[PLAN + 2 + count * HASH :]
        demand(not any(rest[SIGNATURE:]))
        said = {header["shard"] + nth: hashes[nth * HASH :][:HASH] for nth in range(count)}
        known = self.vouched.get(header["frame"])
        if known and not (known[0] == facts(header) and known[1] == plan and is_manifest(header, plan)):
            raise Dropped("not-signed")
        if not known or any(shard not in known[2] for shard in said):
            self.demand_wanted(header)
            message = b"sealcam 1 manifest" + datagram[:16] + datagram[PUBLIC:HEADER] + plain[:PLAN] + hashes
            if not ed25519_is_signed(self.signer, message, rest[:SIGNATURE]) or not is_manifest(header, plan):
                raise Dropped("not-signed")
            last = header["length"] - (header["data"] - 1) * plan["shard"]
            if header["data"] > 1 and (plan["shard"] % 2 or not 0 < last <= plan["shard"]):
                raise Dropped("inconsistent")
            known = self.vouched.setdefault(header["frame"], (facts(header), plan, {}))
        if any(known[2].get(shard, said[shard]) != said[shard] for shard in said):
            raise Dropped("not-signed")
        known[2].update(said)
        self.count_in(header)
        waited = [self.shard(*shard) for shard in self.waiting.pop(header["frame"], [])]
        return next((frame for frame in waited if frame), None)

    def shard(self, header, plain):
        known = self.vouched.get(header["frame"])
        if known:
            shards = header["data"] + header["parity"]
            manifests = known[1]["manifests"]
            last = header["shard"] + 1 == shards
            slot = shards + 2 * manifests - 1 if last else manifests + header["shard"]
            if known[0] != facts(header) or header["packet"] != known[1]["first"] + slot:
                raise Dropped("not-signed")
        if not known or header["shard"] not in known[2]:
            self.demand_wanted(header)
            self.waiting.setdefault(header["frame"], []).append((header, plain))
            return None
        self.demand_wanted(header)
        size = header["length"] - (shards - 1) * known[1]["shard"] if last else known[1]["shard"]
        if len(plain) != size:
            raise Dropped("inconsistent")
        restart = 0xFFFF if header["restart"] is None else header["restart"]
        if blake3(plain + struct.pack(">H", restart))[:HASH] != known[2][header["shard"]]:
            raise Dropped("not-signed")
        self.count_in(header)
        frame = self.frames.setdefault(header["frame"], {})
        frame[header["shard"]] = plain
        if len(frame) < header["data"]:
            return None
        self.delivered = header["frame"]
        return b"".join(plain for _, plain in sorted(frame.items())), header


def facts(header):
    """What all datagrams of a frame say alike."""
    return {name: value for name, value in header.items() if name not in ("packet", "shard", "restart")}


def is_manifest(header, plan):
    """Whether a manifest may have that packet number: they stand first, and again before the last shard."""
    slot, again = header["packet"] - plan["first"], plan["manifests"] + header["data"] + header["parity"] - 1
    return 0 <= slot < plan["manifests"] or again <= slot < again + plan["manifests"]


def check_session(given, viewer, camera):
    """Both ends hear what the other says."""
    says = [line for name in ("viewer-says", "camera-says") for line in given[name]]
    assert len(says) == len(given["message"]) == len(given["session-datagram"])
    heard = {"viewer": 0, "camera": 0}
    for message, datagram in zip(given["message"], given["session-datagram"]):
        datagram = bytes.fromhex(datagram)
        to_viewer = public_header(datagram)[2] == viewer.own
        plain, _ = (viewer if to_viewer else camera).handle(datagram)
        assert plain.hex() == message
        heard["viewer" if to_viewer else "camera"] += 1
    assert heard["viewer"] == len(given["camera-says"])
    return len(says)


def check_frames(given, viewer):
    datagrams = [bytes.fromhex(datagram) for datagram in given["datagram"]]
    # Backwards within each frame, so that shards come before what vouches for them.
    number = lambda datagram: (datagram[2:4], datagram[24:28])  # noqa: E731
    frames = list(dict.fromkeys(map(number, datagrams)))
    turned = [one for frame in frames for one in reversed([d for d in datagrams if number(d) == frame])]
    whole = []
    for datagram in turned:
        try:
            whole.append(viewer.handle(datagram))
        except Dropped as why:
            assert str(why) == "late", "only manifests of frames that are whole already"
    whole = [result for result in whole if result]
    assert len(whole) == len(given["frame-length"])
    for nth, (frame, header) in enumerate(whole):
        assert len(frame) == int(given["frame-length"][nth]) and blake3(frame).hex() == given["frame-blake3"][nth]
        assert header["epoch"] == int(given["frame-epoch"][nth])
        assert header["captured"] == int(given["captured-us"][nth])
        assert header["source"] == int(given["source"][nth])
        assert header["flags"] == int(given["notice"][nth])
    return len(whole)


def check():
    to_camera, to_viewer, viewer_id, camera_id = check_handshake()
    given = values("paired.txt")
    assert ed25519_public(bytes.fromhex(given["signing-secret"][0])).hex() == given["signing-public"][0]
    viewer, camera = Viewer(to_viewer, viewer_id), Viewer(to_camera, camera_id)
    said = check_session(given, viewer, camera)
    assert viewer.stream.hex() == given["stream-id"][0] and viewer.signer.hex() == given["signing-public"][0]
    granted = [(str(epoch), key.hex()) for epoch, (key, _) in viewer.keys.items()]
    assert granted == list(zip(given["epoch"], given["media-key"]))
    whole = check_frames(given, copy.deepcopy(viewer))
    for datagram in given["datagram"][:-1]:
        viewer.handle(bytes.fromhex(datagram))
    dropped = hold_to_causes("paired-malformed.txt", lambda datagram: copy.deepcopy(viewer).handle(datagram))
    print(f"paired: {said} messages heard, {whole} frames whole, {dropped} datagrams dropped for the right reason")

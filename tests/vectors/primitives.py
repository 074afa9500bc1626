"""The primitives that Python's standard library lacks, plainly and slowly: for checking vectors, never for secrets.

X25519 (RFC 7748), Ed25519 (RFC 8032), HChaCha20 (draft-irtf-cfrg-xchacha-03), BLAKE3 (its specification of 2020),
and HKDF as Noise has it. Each is held to published values in `check`.
"""

import hashlib
import hmac
import struct

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def x25519(secret, point):
    scalar = int.from_bytes(secret, "little") & ~(7 | 128 << 248) | 64 << 248
    u = int.from_bytes(point, "little") % 2**255 % P
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for at in reversed(range(255)):
        bit = scalar >> at & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def x25519_public(secret):
    return x25519(secret, b"\x09" + bytes(31))


def edwards_add(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def edwards_multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = edwards_add(result, point)
        point = edwards_add(point, point)
        scalar >>= 1
    return result


def edwards_point(data):
    """Decodes a point; None if it is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y % 2**255
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def edwards_bytes(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = edwards_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_public(secret):
    scalar = int.from_bytes(hashlib.sha512(secret).digest()[:32], "little")
    return edwards_bytes(edwards_multiply(scalar & ~(7 | 128 << 248) | 64 << 248, BASE))


def ed25519_is_signed(public, message, signature):
    """Without the cofactor: all signatures of honest signers pass, and none that only some readers would take."""
    key, commitment = edwards_point(public), edwards_point(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or response >= L:
        return False
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(challenge, "little") % L
    right = edwards_add(commitment, edwards_multiply(challenge, key))
    return edwards_bytes(edwards_multiply(response, BASE)) == edwards_bytes(right)


def rotated(value, bits, right):
    bits = 32 - bits if right else bits
    return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF


def hchacha20(key, nonce):
    """The key of XChaCha20 for the first 16 bytes of its nonce."""
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for turn in range(20):
        shift = turn % 2
        for at in range(4):
            a, b, c, d = (4 * row + (at + shift * row) % 4 for row in range(4))
            for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                s[z] = rotated(s[z] ^ s[x], bits, right=False)
    return struct.pack("<8I", *s[:4], *s[12:])


BLAKE3_IV = struct.unpack("<8I", bytes.fromhex("67e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b"))
BLAKE3_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8


def blake3_compress(chaining, block, counter, length, flags):
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    s = [*chaining, *BLAKE3_IV[:4], counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for _ in range(7):
        for at in range(8):
            a, b, c, d = (4 * row + (at + (at // 4) * row) % 4 for row in range(4))
            for word, first, second in ((m[2 * at], 16, 12), (m[2 * at + 1], 8, 7)):
                s[a] = (s[a] + s[b] + word) & 0xFFFFFFFF
                s[d] = rotated(s[d] ^ s[a], first, right=True)
                s[c] = (s[c] + s[d]) & 0xFFFFFFFF
                s[b] = rotated(s[b] ^ s[c], second, right=True)
        m = [m[at] for at in BLAKE3_ORDER]
    return [s[at] ^ s[at + 8] for at in range(8)]


def blake3_tree(data, first, root):
    """The chaining value of `data`, which begins with chunk `first`."""
    if len(data) > 1024:
        chunks = (len(data) + 1023) // 1024
        left = 1 << (chunks - 1).bit_length() - 1
        both = blake3_tree(data[: left * 1024], first, 0) + blake3_tree(data[left * 1024 :], first + left, 0)
        return blake3_compress(BLAKE3_IV, struct.pack("<16I", *both), 0, 64, PARENT | root)
    chaining = BLAKE3_IV
    for at in range(0, max(len(data), 1), 64):
        flags = CHUNK_START if at == 0 else 0
        if at + 64 >= len(data):
            flags |= CHUNK_END | root
        block = data[at : at + 64]
        chaining = blake3_compress(chaining, block, first, len(block), flags)
    return chaining


def blake3(data):
    return struct.pack("<8I", *blake3_tree(data, 0, ROOT))


def blake2s(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def blake2s_mac(key, *parts):
    return hashlib.blake2s(b"".join(parts), key=key, digest_size=16).digest()


def noise_hkdf(chaining, material):
    """Noise, section 4.3, for two outputs."""
    step = lambda key, data: hmac.new(key, data, hashlib.blake2s).digest()  # noqa: E731
    key = step(chaining, material)
    first = step(key, b"\x01")
    return first, step(key, first + b"\x02")


def check():
    """Published values: RFC 7748 section 6.1, RFC 8032 section 7.1, XChaCha's 2.2.1, BLAKE3's test vectors."""
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    assert x25519(alice, bob).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519_public(secret) == public
    assert ed25519_is_signed(public, b"\x72", signature) and not ed25519_is_signed(public, b"\x73", signature)
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    subkey = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(bytes(range(32)), nonce).hex() == subkey
    assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    counted = bytes(at % 251 for at in range(2049))
    assert blake3(counted).hex() == "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"

"""Requests to the studio: whatever is asked, the answer is sound HTTP, no failure, and no file of others."""

from __future__ import annotations

import asyncio
import io
import json
import pathlib
import random
import re
import time
import urllib.parse
import zipfile
from typing import Any

import soundfile
from conftest import tones
from test_networks import model

from vocalsep.errors import VocalsepError
from vocalsep.inference.engine import Engine
from vocalsep.model_files.checkpoint import save
from vocalsep.studio import library as states
from vocalsep.studio.api import create_app
from vocalsep.studio.context import Studio
from vocalsep.studio.guard import Guard
from vocalsep.studio.library import Library
from vocalsep.studio.limits import Limits

from .defect import expect
from .mutations import damaged

RATE = 8000
TOKEN = "s3cret"
SECRET = b"nobody's business but the owner's"
LIMITS = Limits(max_upload_bytes=60_000, max_minutes=0.02, max_queued=3, idle_timeout_s=1.0)
# Seeds become songs within this time.
SEEDING_S = 120.0
MOST_UPLOADS = 8
# What the server may answer of itself: it is busy, or its disk is full.
EXCUSED = (503, 507)
NUMBERS = (
    "0",
    "1",
    "-1",
    "100",
    "50",
    "0.5",
    "1e3",
    "1e400",
    "-0",
    "nan",
    "inf",
    "-Infinity",
    "9" * 400,
    "1_0",
    "٣",
    "",
)
TEXTS = (
    "",
    "wav",
    "mp3",
    "x" * 3000,
    "..",
    "../../secret",
    "a/b\\c",
    "\0",
    "\r\nx-y: z",
    "é🎤",
    "\ud800",
    "%00",
    "{}",
    "'\"",
)
FORMATS = ("wav", "flac", "mp3", "m4a", "stem.mp4", "ogg")
IDS = ("0" * 16, "F" * 16, "..", "../" * 6 + "etc/passwd", ".scratch", "0" * 17, "", "🎤", "\n")
RANGES = ("bytes=0-", "bytes=0-43", "bytes=44-44", "bytes=-9", "bytes=-0", "bytes=9-3", "bytes=0-999999999999999999")
ODD_RANGES = ("bytes=", "bytes=-", "lines=1-2", "bytes=1-2,4-5", f"bytes={'9' * 30}-", "bytes=١-٢", "bytes=a-b", "\xff")
HOSTS = (
    "localhost",
    "127.0.0.1:8765",
    "[::1]",
    "[::1",
    "evil.example",
    "localhost:x",
    "",
    "\xe9",
    "127.0.0.1@evil.example",
)
ORIGINS = ("http://localhost", "null", "http://[", "http://evil.example", "//", "\xff", "http://localhost:99999999")
# Servers let no more than 20 digits through.
LENGTHS = ("0", "1", "60001", "-1", "1e3", "9" * 20, "\xb2", "")
PLACES = (
    "/",
    "/static/index.html",
    "/static/",
    "/api/openapi.json",
    "/docs",
    "/api/songs/",
    "//",
    "/api",
    "*",
    "/\r\nx: y",
)
ELSEWHERE = ("//evil.example/", "/\\evil.example", "/\t/evil.example")
OUTSIDE = ("secret.txt", "api.py", "/etc/passwd", "../api.py", "..\\api.py", "%2e%2e/api.py", "....//api.py", "\0")
METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "get", "PROPFIND")
# How an exception's name begins an error, where it should have been a sentence.
UNFORESEEN = re.compile(r"\w*(Error|Exception|Warning|Interrupt)\b.*:")


class Requests:
    """See `watch.Harness`.

    Songs have random ids and are worked on meanwhile, so that answers may differ from run to run.
    """

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        network, config = model("unet", {"filters": (2, 4), "level_frames": 3})
        save(seeds / "m.safetensors", network, config, {})
        (seeds / "secret.txt").write_bytes(SECRET)
        self.place = place
        self.library = Library(seeds / "library")
        studio = Studio(self.library, lambda: Engine(seeds / "m.safetensors", device="cpu", threads=1), LIMITS, "m")
        self.worker = studio.worker
        bare = create_app(studio)
        self.guards = {None: Guard(bare, None), TOKEN: Guard(bare, TOKEN)}
        described = bare.openapi()
        self.schemas = described["components"]["schemas"]
        self.operations = [
            (method.upper(), path, operation.get("parameters", []), operation.get("requestBody", {}).get("content", {}))
            for path, methods in described["paths"].items()
            for method, operation in methods.items()
        ]
        # What takes a body deserves more than its share.
        self.operations += 3 * [operation for operation in self.operations if operation[:2] == ("POST", "/api/songs")]
        self.operations += 2 * [operation for operation in self.operations if operation[3]]
        self.exports = studio.exports
        self.party = studio.party
        self.sounds = [_sound("WAV", 2), _sound("FLAC", 1), _sound("OGG", 2), _sound("WAV", 4), _sound("WAV", 1, 3.0)]
        self.loop = asyncio.new_event_loop()
        self.worker.start()
        self.done = [self._separated(sound) for sound in (self.sounds[0], self.sounds[3])]

    def _separated(self, sound: bytes) -> str:
        path = self.library.temporary_folder / "seed.wav"
        path.write_bytes(sound)
        song = self.worker.enqueue(path, "Song é.wav")
        until = time.monotonic() + SEEDING_S
        while (found := self.library.get(song.id)) is not None and found.state != states.DONE:
            expect(time.monotonic() < until and found.state != states.FAILED, f"no seed: {found}")
            time.sleep(0.01)
        return song.id

    def attempt(self, random_: random.Random) -> None:
        """Make a request and check the answer."""
        scope, body = self._request(random_)
        (self.place / "request").write_text(repr((scope, body)), "utf-8", "backslashreplace")
        guard = self.guards[random_.choice((None, None, None, TOKEN))]
        status, headers, answer = self.loop.run_until_complete(_answered(guard, scope, body, random_.random() < 0.05))
        self._check_library()
        _check_answer(scope, status, headers, answer)
        if status >= 400:
            raise VocalsepError(f"answered {status}")

    def _check_library(self) -> None:
        """No song failed for a reason that nobody foresaw; the oldest uploads are forgotten."""
        for song in self.library.songs():
            expect(not UNFORESEEN.match(song.error), f"a song failed: {song.error}")
        for song in self.library.songs()[MOST_UPLOADS:]:
            if song.id not in self.done and song.state not in (states.QUEUED, states.RUNNING):
                self.library.remove(song)

    def _request(self, random_: random.Random) -> tuple[dict[str, Any], list[bytes]]:
        content: dict[str, Any] = {}
        if random_.random() < 0.15:
            method = random_.choice(("GET", random_.choice(METHODS)))
            query = random_.choice(("", f"token={TOKEN}"))
            path = random_.choice(
                (*PLACES, *ELSEWHERE, *(f"/static/{'../' * n}{name}" for n in (0, 1, 3) for name in OUTSIDE))
            )
        else:
            method, template, parameters, content = random_.choice(self.operations)
            path, query = self._filled(method, template, parameters, random_)
            if random_.random() < 0.1:
                method = random_.choice(METHODS)
        described = content.get("application/json", {}).get("schema")
        # A server gives the path decoded, and as it came.
        raw = urllib.parse.quote(path, safe="/%\\*", errors="surrogatepass").encode()
        if described and random_.random() < 0.9:
            body = [json.dumps(self._value(described, random_)).encode()]
        else:
            body = self._body(random_) if method == "POST" or random_.random() < 0.1 else []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": urllib.parse.unquote(raw.decode()),
            "raw_path": raw,
            "query_string": query.encode("utf-8", "surrogatepass").replace(b" ", b"+"),
            "root_path": "",
            "headers": _headers(body, "application/json" if described else "", random_),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8765),
        }
        return scope, body

    def _filled(self, method: str, path: str, parameters: list[Any], random_: random.Random) -> tuple[str, str]:
        query = []
        for parameter in parameters:
            name, schema = parameter["name"], parameter["schema"]
            # One that may be left out is this or null.
            schema = schema.get("anyOf", [schema])[0]
            if name == "song_id":
                # The seeds are there for all that follows.
                kept = self.done if method != "DELETE" else []
                uploaded = [song.id for song in self.library.songs() if song.id not in self.done]
                value = random_.choice((*kept * 6, *uploaded[:3], random_.choice(IDS)))
            elif name in ("export_id", "entry_id", "recording_id"):
                value = self._id(name, random_)
            elif random_.random() < 0.15:
                value = random_.choice((*NUMBERS, *TEXTS))
            elif "enum" in schema:
                value = random_.choice(schema["enum"])
            elif schema["type"] in ("number", "integer"):
                low, high = schema["minimum"], schema["maximum"]
                value = random_.choice(
                    (f"{random_.uniform(low, high):.1f}", str(low), str(high), random_.choice(NUMBERS))
                )
            else:
                value = random_.choice((*TEXTS, *(f"song.{form}" for form in FORMATS)))
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", value)
            elif random_.random() < 0.7:
                query.append(
                    f"{name}={urllib.parse.quote(value, errors='surrogatepass') if random_.random() < 0.9 else value}"
                )
        if random_.random() < 0.1:
            query.append(random_.choice((*3 * (f"token={TOKEN}",), "token=%ff", "%", "&&=", "a=b&a=c", "=" * 200)))
        random_.shuffle(query)
        return path, "&".join(query)

    def _id(self, name: str, random_: random.Random) -> str:
        """Return the id of something that is there, or of nothing."""
        there = {
            "export_id": [export.id for export in self.exports.all()],
            "entry_id": [entry["id"] for entry in self.party.describe()["entries"]],
            "recording_id": [
                path.stem.removeprefix("recording-") for path in self.library.folder.glob("*/recording-*.json")
            ],
        }[name]
        return random_.choice((*there[:5], random_.choice(IDS)))

    def _value(self, schema: dict[str, Any], random_: random.Random) -> Any:
        """Return a value that fits a JSON schema, or nearly."""
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        schema = random_.choice(schema.get("anyOf", [schema]))
        if "$ref" in schema:
            return self._value(schema, random_)
        if random_.random() < 0.04:
            return random_.choice((None, True, -1, 1e400, [], {}, "x", *TEXTS))
        if "enum" in schema or "const" in schema:
            return random_.choice(schema.get("enum", [schema.get("const")]))
        kind = schema.get("type", "object")
        if kind == "array":
            return [self._value(schema.get("items", {}), random_) for _ in range(random_.choice((0, 1, 1, 2, 3)))]
        if kind in ("number", "integer"):
            low, high = schema.get("minimum", -10), schema.get("maximum", 10)
            number = random_.choice((low, high, random_.uniform(low, high), random_.uniform(0, 0.1), 0))
            return int(number) if kind == "integer" else number
        if kind == "string":
            ids = (*self.done, *(entry["id"] for entry in self.party.describe()["entries"][:3]), *IDS)
            return random_.choice(ids if "16" in schema.get("pattern", "") else (*TEXTS, "client-1", "words"))
        if kind == "object":
            fields = schema.get("properties", {})
            return {
                name: self._value(field, random_)
                for name, field in fields.items()
                if name in schema.get("required", []) or random_.random() < 0.5
            }
        return random_.choice((None, True, False))

    def _body(self, random_: random.Random) -> list[bytes]:
        how = random_.random()
        sound = random_.choice(self.sounds)
        data = (
            sound
            if how < 0.3
            else damaged(sound, self.sounds[0], random_)
            if how < 0.8
            else b"{}" * random_.randrange(3)
        )
        if random_.random() < 0.05:
            data = bytes(LIMITS.max_upload_bytes + 1)
        cut = random_.randint(0, len(data))
        return [data[:cut], data[cut:]]


def _headers(body: list[bytes], media_type: str, random_: random.Random) -> list[tuple[bytes, bytes]]:
    """Return headers as a server gives them: names in lower case, values without ends of lines."""
    held = {"host": "127.0.0.1:8765" if random_.random() < 0.9 else random_.choice(HOSTS)}
    if media_type:
        held["content-type"] = media_type
    if body and random_.random() < 0.8:
        held["content-length"] = str(sum(map(len, body))) if random_.random() < 0.9 else random_.choice(LENGTHS)
    extras = {
        "range": random_.choice((*RANGES, *RANGES, *ODD_RANGES)),
        "origin": random_.choice(ORIGINS),
        "content-type": random_.choice(("application/json", "multipart/form-data", "text/plain; charset=\xff", "")),
        "cookie": random_.choice((f"vocalsep-token={TOKEN}", "vocalsep-token=\xff", "=;;=", "a" * 5000, '"\\')),
        "authorization": random_.choice((f"Bearer {TOKEN}", "Bearer", "Basic \xff", "bearer " + "x" * 3000)),
        "sec-fetch-site": random_.choice(("none", "same-origin", "cross-site", "\xe9")),
        "if-none-match": random_.choice(("*", '"x"', "\xff")),
        "if-range": random_.choice(("Wed, 21 Oct 2015 07:28:00 GMT", '"x"', "")),
        "accept-encoding": "gzip, \xff",
    }
    for name in random_.sample(sorted(extras), random_.choice((0, 0, 1, 1, 2, 3))):
        held[name] = extras[name]
    return [
        (name.encode(), value.encode("utf-8" if max(value, default="a") > "\xff" else "latin-1"))
        for name, value in held.items()
    ]


async def _answered(
    app: Any, scope: dict[str, Any], body: list[bytes], breaks_off: bool
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Give a request to an application, and return status, headers and body of its answer."""
    waiting = list(body) or [b""]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if waiting and not (breaks_off and len(waiting) == 1):
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}
        if not breaks_off and scope["path"] != "/api/events":
            # Whoever sent a whole request waits for its answer.
            await asyncio.Event().wait()
        await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    expect(sent and sent[0]["type"] == "http.response.start", "no answer")
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], list(sent[0]["headers"]), b"" if breaks_off else content


def _check_answer(scope: dict[str, Any], status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    expect(status < 500 or status in EXCUSED, f"answers {status}: {body[:200]!r}")
    for name, value in headers:
        expect(not set(name + value) & {0, 10, 13}, f"a header with an end of line: {name!r} {value!r}")
    expect(SECRET not in body and b"root:x:0" not in body, "gives a file away")
    fields = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in headers}
    location = fields.get("location", "/")
    host = dict(scope["headers"])[b"host"].decode("latin-1")
    expect(re.match(rf"/(?![/\\])|http://{re.escape(host)}/", location), f"sends elsewhere: {location}")
    length = fields.get("content-length")
    if body and length is not None:
        expect(int(length) == len(body), f"announces {length} bytes and sends {len(body)}")
    if not body:
        return
    kind = fields.get("content-type", "")
    if kind.startswith("application/json"):
        answer = json.loads(body, parse_constant=lambda constant: expect(False, f"{constant} in JSON"))
        expect(status < 400 or "detail" in answer, f"{status} without a detail")
    elif status == 200 and kind in ("audio/wav", "audio/flac"):
        expect(soundfile.info(io.BytesIO(body)).frames > 0, "a sound without samples")
    elif status == 200 and kind == "application/zip":
        expect(zipfile.ZipFile(io.BytesIO(body)).testzip() is None, "a broken archive")
    if status == 206 and "content-range" in fields:
        first, last = fields["content-range"].removeprefix("bytes ").split("/")[0].split("-")
        expect(int(last) + 1 - int(first) == len(body), f"{fields['content-range']} with {len(body)} bytes")


def _sound(form: str, channels: int, seconds: float = 0.1) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, tones(seconds, RATE, channels).T, RATE, format=form)
    return held.getvalue()

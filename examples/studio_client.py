"""A client of `vocalsep serve` in a few lines: python studio_client.py song.mp3 makes song.karaoke.flac."""

import pathlib
import sys
import time

import httpx

song, studio = (
    pathlib.Path(sys.argv[1]),
    httpx.Client(base_url=sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8765"),
)
job = (
    studio.post("/api/songs", params={"name": song.name}, content=song.read_bytes(), timeout=None)
    .raise_for_status()
    .json()
)
while job["state"] in ("queued", "running"):
    time.sleep(0.5)
    job = studio.get(f"/api/songs/{job['id']}").json()
if job["state"] != "done":
    sys.exit(f"{song}: {job['error']}")
export = (
    studio.post(f"/api/songs/{job['id']}/exports", json={"kind": "mix", "format": "flac"}).raise_for_status().json()
)
while export["state"] in ("queued", "running"):
    time.sleep(0.5)
    export = studio.get(f"/api/exports/{export['id']}").raise_for_status().json()
if export["state"] != "done":
    sys.exit(f"{song}: {export['error']}")
song.with_suffix(".karaoke.flac").write_bytes(studio.get(export["url"], timeout=None).raise_for_status().content)

"""What the studio keeps of songs, visitors and a party, tested against a real server."""

import json
import re
import time

import pytest
from conftest import DEMO, RATE, tones, write
from test_studio import client_of, opened

from vocalsep.analysis import analyze_song
from vocalsep.tags import Tags, write_tags

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
NOBODY = "0" * 16


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def studio(library):
    with opened(library) as served:
        yield served


@pytest.fixture(scope="module")
def song(studio):
    return studio.until(studio.post(DEMO / "song.ogg", "song.ogg").json()["id"], "done", "failed")


def short(studio, tmp_path, name="short.wav", seed=0):
    """A short song that no other test has."""
    path = write(tmp_path / name, tones(0.3, RATE, 1, seed), RATE)
    return studio.until(studio.post(path, name).json()["id"], "done", "failed")


class Events:
    """The events of a studio, read by kind."""

    def __init__(self, stream):
        self.lines = stream.iter_lines()
        self.last_id = ""

    def next(self, *kinds):
        kind = ""
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data" and kind in kinds:
                return json.loads(value)
        raise AssertionError("the stream ended")


def events(studio, client, **headers):
    return client.stream("GET", "api/events", params={"client": "test-client"}, headers=headers)


@pytest.fixture
def client(studio):
    with client_of(studio.http.base_url) as client:
        yield client


def test_a_song_says_title_artist_length_and_size(studio, song):
    assert (song["title"], song["artist"], song["album"]) == ("Paper Lantern", "vocalsep", "vocalsep examples")
    assert song["duration"] == pytest.approx(27.6)
    files = (studio.library / song["id"]).iterdir()
    assert song["bytes"] == pytest.approx(sum(path.stat().st_size for path in files), rel=0.01)
    cover = studio.http.get(f"api/songs/{song['id']}/cover")
    assert cover.headers["content-type"] == "image/png"
    assert cover.content.startswith(b"\x89PNG")


def test_the_length_is_known_before_the_song_is_separated(studio, tmp_path):
    posted = studio.post(write(tmp_path / "s.wav", tones(1.5, RATE, 1, 5), RATE), "My song.wav").json()
    assert (posted["duration"], posted["title"], posted["cover"]) == (1.5, "My song", False)
    assert studio.http.get(f"api/songs/{posted['id']}/cover").status_code == 404


def test_a_song_is_renamed(studio, client, tmp_path):
    song = short(studio, tmp_path, seed=1)
    address = f"api/songs/{song['id']}"
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        changed = studio.http.patch(address, json={"title": "La\nvie ", "artist": "Édith", "name": "../x/vie.wav"})
        assert changed.status_code == 200
        event = seen.next("song")
    kept = studio.http.get(address).json()
    assert kept == changed.json() == event
    assert (kept["title"], kept["artist"], kept["name"]) == ("La vie", "Édith", "vie.wav")
    # Without a title of its own, a song is called like its file.
    assert studio.http.patch(address, json={"title": ""}).json()["title"] == "vie"
    for changes in ({"title": "x" * 300}, {"name": ""}, {"state": "done"}, {"title": 5}, []):
        assert studio.http.patch(address, json=changes).status_code == 422
    assert studio.http.patch(f"api/songs/{NOBODY}", json={"title": "x"}).status_code == 404


def test_a_file_that_is_there_already_is_noticed_and_taken(studio, tmp_path):
    first = short(studio, tmp_path, seed=2)
    second = studio.post(tmp_path / "short.wav", "other name.wav").json()
    assert (first["duplicate_of"], second["duplicate_of"]) == (None, first["id"])
    assert studio.until(second["id"], "done")["duplicate_of"] == first["id"]
    studio.http.delete(f"api/songs/{first['id']}")
    assert studio.http.get(f"api/songs/{second['id']}").json()["duplicate_of"] is None


def test_several_songs_are_deleted_at_once(studio, song, tmp_path):
    ids = [short(studio, tmp_path, f"{seed}.wav", seed)["id"] for seed in (3, 4)]
    answer = studio.http.post("api/songs/delete", json={"ids": [*ids, NOBODY, ids[0]]})
    assert answer.json() == {"deleted": ids, "missing": [NOBODY]}
    left = {one["id"] for one in studio.http.get("api/songs").json()}
    assert song["id"] in left
    assert not left & set(ids)
    for body in ({}, {"ids": "all"}, {"ids": ["../.."]}, {"ids": [], "all": True}):
        assert studio.http.post("api/songs/delete", json=body).status_code == 422


def test_a_cancelled_song_says_so_and_can_keep_what_is_separated(studio, tmp_path):
    long = write(tmp_path / "long.wav", tones(300, 8000, 1), 8000)
    first, second = (studio.post(long, name).json() for name in ("first.wav", "second.wav"))
    assert studio.http.get(f"api/songs/{second['id']}").json()["position"] in (1, 2)
    waiting = studio.http.post(f"api/songs/{second['id']}/cancel", params={"keep": True}).json()
    assert (waiting["state"], waiting["error"]) == ("cancelled", "it was cancelled")
    while studio.http.get(f"api/songs/{first['id']}").json()["ready"] == 0:
        time.sleep(0.01)
    kept = studio.http.post(f"api/songs/{first['id']}/cancel", params={"keep": True}).json()
    assert (kept["state"], kept["partial"]) == ("done", True)
    assert 0 < kept["samples"] == kept["ready"] < 300 * 8000
    assert "cancelled after" in kept["remarks"][0]
    peaks = studio.http.get(f"api/songs/{first['id']}/peaks").json()
    assert len(peaks["vocals"]) == -(-kept["samples"] // peaks["samples_per_peak"])
    restarted = studio.http.post(f"api/songs/{first['id']}/restart").json()
    assert (restarted["state"], restarted["partial"], restarted["remarks"]) in (
        ("queued", False, []),
        ("running", False, []),
    )
    for one in (first, second):
        studio.http.delete(f"api/songs/{one['id']}")


def test_settings_are_kept_with_the_song(studio, client, song, library):
    address = f"api/songs/{song['id']}/settings"
    usual = studio.http.get(address).json()
    assert (usual["vocals"], usual["accompaniment"], usual["loop"]) == (0, 1, None)
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        fields = {"position": 12.5, "loop": {"start": 1, "end": 2.5}, "key": -3, "muted": ["vocals"]}
        changed = studio.http.patch(address, json=fields, params={"client": "test-client"}).json()
        assert seen.next("settings") == {"id": song["id"], "settings": changed, "client": "test-client"}
    assert changed == {**usual, **fields}
    assert studio.http.get(address).json() == changed
    assert studio.http.patch(address, json={"tempo": 80}).json() == {**changed, "tempo": 80}
    assert json.loads((library / song["id"] / "settings.json").read_text())["tempo"] == 80
    assert studio.http.put(address, json={"vocals": 0.5}).json() == {**usual, "vocals": 0.5}
    for wrong in (
        {"position": -1},
        {"position": "nan"},
        {"loop": {"start": 2, "end": 1}},
        {"loop": {"start": 2}},
        {"vocals": 1.5},
        {"muted": ["drums"]},
        {"solo": ["vocals"] * 9},
        {"key": 13},
        {"tempo": 10},
        {"else": 1},
        [],
    ):
        for method in ("PUT", "PATCH"):
            refused = studio.http.request(method, address, json=wrong)
            assert refused.status_code == 422, wrong
            assert isinstance(refused.json()["detail"], str)
    assert studio.http.get(address).json() == {**usual, "vocals": 0.5}
    assert studio.http.get(f"api/songs/{NOBODY}/settings").status_code == 404


def test_key_tempo_and_beats_are_found_when_asked_for(studio, client, song):
    address = f"api/songs/{song['id']}/analysis"
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        first = studio.http.get(address).json()
        assert (first["state"], first["key"], first["beats"]) == ("running", None, [])
        assert seen.next("analysis") == {"id": song["id"]}
    found = studio.http.get(address).json()
    assert found["state"] == "done"
    expected = analyze_song(DEMO / "song.ogg")
    assert found["key"] == expected.key.name
    assert found["tempo"] == pytest.approx(expected.bpm, abs=0.5)
    assert found["beats"] == pytest.approx(list(expected.beats), abs=0.05)
    assert 0 < found["key_confidence"] <= 1 >= found["tempo_confidence"] > 0
    assert studio.http.get(f"api/songs/{NOBODY}/analysis").status_code == 404


LRC = "[ti:Lantern]\n[00:01.50]Paper <00:02.00>lantern\n[00:04.00]in the rain\n"


def test_words_are_kept_with_the_song(studio, client, song):
    address = f"api/songs/{song['id']}/lyrics"
    assert song["lyrics"] is False
    assert studio.http.get(address).status_code == studio.http.get(f"{address}.lrc").status_code == 404
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        put = studio.http.put(address, content=LRC.encode("utf-16"), params={"source": "file"})
        assert put.status_code == 200, put.text
        assert seen.next("lyrics") == {"id": song["id"]}
        assert seen.next("song")["lyrics"] is True
    kept = studio.http.get(address).json()
    assert kept == put.json()
    assert (kept["timed"], kept["source"], kept["title"]) == (True, "file", "Lantern")
    assert [line["start"] for line in kept["lines"]] == [1.5, 4]
    assert kept["lines"][0]["words"] == [{"start": 1.5, "text": "Paper "}, {"start": 2, "text": "lantern"}]
    file = studio.http.get(f"{address}.lrc")
    assert "Paper%20Lantern.lrc" in file.headers["content-disposition"]
    assert "[00:04.00]in the rain" in file.text
    # What the page sends back, with words that were tapped in time.
    words = [{"start": 4, "text": "in"}, {"start": 4.5, "text": "the"}, {"start": 5, "text": "rain"}]
    kept["lines"][1] |= {"words": words, "end": 6}
    edited = studio.http.put(address, json=kept).json()
    assert edited["source"] == "user"
    assert edited["lines"][1]["text"] == "in the rain"
    assert [word["text"] for word in edited["lines"][1]["words"]] == ["in ", "the ", "rain"]
    assert edited["lines"][1]["end"] == 6
    plain = studio.http.put(address, content=b"Paper lantern\nin the rain").json()
    assert (plain["timed"], [line["start"] for line in plain["lines"]]) == (False, [None, None])
    assert studio.http.delete(address).status_code == 204
    assert studio.http.get(address).status_code == 404
    assert studio.http.get(f"api/songs/{song['id']}").json()["lyrics"] is False


def test_words_in_tags_are_found(studio, tmp_path):
    path = write(tmp_path / "s.flac", tones(0.3, RATE, 1, 7), RATE)
    write_tags(path, Tags({"title": ("Rain",), "lyrics": ("[00:00.10]It rains",)}))
    posted = studio.post(path, "s.flac").json()
    assert (posted["title"], posted["lyrics"]) == ("Rain", True)
    words = studio.http.get(f"api/songs/{posted['id']}/lyrics").json()
    assert (words["source"], words["lines"][0]["text"]) == ("tags", "It rains")
    # The separation leaves what is changed meanwhile as it is.
    studio.http.patch(f"api/songs/{posted['id']}", json={"title": "Sun"})
    ended = studio.until(posted["id"], "done", "failed")
    assert (ended["title"], ended["lyrics"]) == ("Sun", True)


def test_words_that_make_no_sense_are_refused(studio, song):
    address = f"api/songs/{song['id']}/lyrics"
    for words in (
        {},
        {"lines": []},
        {"lines": [{"text": "x", "start": -1}]},
        {"lines": [{"text": "x" * 2001}]},
        {"lines": [{"text": "a", "start": 1}, {"text": "b"}]},
        {"lines": [{"text": "a", "words": [{"text": "a"}]}]},
        {"lines": [{"text": "  "}]},
    ):
        assert studio.http.put(address, json=words).status_code == 422, words
    json_type = {"content-type": "application/json"}
    assert studio.http.put(address, content=b"{", headers=json_type).status_code == 422
    assert studio.http.put(address, content=b"\0\1\2\0\0").status_code == 422
    assert studio.http.put(address, content=b"").status_code == 422
    assert studio.http.put(address, content=b"x" * 600_000).status_code == 413
    assert studio.http.put(address, content=b"la", params={"source": "tags"}).status_code == 422
    assert studio.http.get(address).status_code == 404
    assert studio.http.put(f"api/songs/{NOBODY}/lyrics", content=b"la").status_code == 404


def test_the_line_of_singers_moves_on(studio, client, song, tmp_path):
    other = short(studio, tmp_path, seed=6)
    with events(studio, client) as stream:
        seen = Events(stream)
        assert seen.next("snapshot")["party"] == {"entries": [], "current": None}

        def add(singer, **fields):
            entry = studio.http.post("api/party/entries", json={"song": song["id"], "singer": singer, **fields})
            assert entry.status_code == 201, entry.text
            seen.next("party")
            return entry.json()["id"]

        def line():
            party = studio.http.get("api/party").json()
            return [entry["singer"] for entry in party["entries"]], party["current"]

        anna, ben, cleo = add("Anna"), add("Ben", key=-2), add("Cleo", next=True)
        assert line() == (["Cleo", "Anna", "Ben"], None)
        assert studio.http.post("api/party/next").json()["current"] == cleo
        dora = add("Dora", next=True, song=other["id"])
        assert line() == (["Cleo", "Dora", "Anna", "Ben"], cleo)
        moved = studio.http.patch(f"api/party/entries/{ben}", json={"place": 0, "singer": "Ben & Bea"}).json()
        assert (moved["singer"], moved["key"]) == ("Ben & Bea", -2)
        assert line() == (["Cleo", "Ben & Bea", "Dora", "Anna"], cleo)
        assert studio.http.post("api/party/next").json()["current"] == ben
        assert line() == (["Ben & Bea", "Dora", "Anna"], ben)
        assert studio.http.post("api/party/current", json={"entry": anna}).json()["current"] == anna
        assert line() == (["Anna", "Dora"], anna)
        # Without its song an entry cannot be sung.
        studio.http.delete(f"api/songs/{other['id']}")
        assert line() == (["Anna"], anna)
        assert studio.http.delete(f"api/party/entries/{dora}").status_code == 404
        assert studio.http.post("api/party/next").json() == {"entries": [], "current": None}
        add("Eve")
        assert json.loads((studio.library / "party.json").read_text())["entries"][0]["singer"] == "Eve"
        assert studio.http.delete("api/party").status_code == 204
        assert line() == ([], None)


def test_entries_that_make_no_sense_are_refused(studio, song):
    for entry, status in (
        ({}, 422),
        ({"song": NOBODY}, 404),
        ({"song": song["id"], "singer": "x" * 101}, 422),
        ({"song": song["id"], "key": 99}, 422),
        ({"song": song["id"], "current": True}, 422),
    ):
        assert studio.http.post("api/party/entries", json=entry).status_code == status
    assert studio.http.patch(f"api/party/entries/{NOBODY}", json={"place": 0}).status_code == 404
    assert studio.http.patch(f"api/party/entries/{NOBODY}", json={"place": -1}).status_code == 422
    assert studio.http.post("api/party/current", json={"entry": NOBODY}).status_code == 404
    assert studio.http.get("api/party").json() == {"entries": [], "current": None}


def test_a_remote_control_reaches_the_page_that_plays(studio, client, song):
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        for command in (
            {"command": "play", "value": None},
            {"command": "seek", "value": 12.5},
            {"command": "vocals", "value": 0.2},
            {"command": "key", "value": -3},
            {"command": "song", "value": song["id"]},
        ):
            assert studio.http.post("api/remote", json=command).status_code == 204
            assert seen.next("remote") == command
        state = {"song": song["id"], "playing": True, "position": 3.5, "duration": 27.6}
        assert studio.http.put("api/player", json=state).status_code == 204
        told = seen.next("player")
    assert (
        told
        == studio.http.get("api/player").json()
        == {
            **state,
            "vocals": 0,
            "accompaniment": 1,
            "key": 0,
            "tempo": 100,
        }
    )
    for command, status in (
        ({"command": "quit"}, 422),
        ({"command": "seek"}, 422),
        ({"command": "seek", "value": "soon"}, 422),
        ({"command": "vocals", "value": 2}, 422),
        ({"command": "play", "value": 1}, 422),
        ({"command": "song", "value": "../.."}, 422),
        ({"command": "song", "value": NOBODY}, 404),
    ):
        assert studio.http.post("api/remote", json=command).status_code == status, command
    assert studio.http.put("api/player", json={"position": -1}).status_code == 422


def test_a_broken_event_stream_goes_on_where_it_broke(studio, client, song):
    with events(studio, client) as stream:
        seen = Events(stream)
        seen.next("snapshot")
        studio.http.post("api/remote", json={"command": "seek", "value": 1})
        assert seen.next("remote")["value"] == 1
    for second in (2, 3):
        studio.http.post("api/remote", json={"command": "seek", "value": second})
    with events(studio, client, **{"last-event-id": seen.last_id}) as stream:
        resumed = Events(stream)
        assert [resumed.next("snapshot", "remote")["value"] for _ in range(2)] == [2, 3]
    for unknown in ("deadbeef-1", "x", f"{seen.last_id}9"):
        with events(studio, client, **{"last-event-id": unknown}) as stream:
            assert "songs" in Events(stream).next("snapshot", "remote")


def test_head_is_answered_as_get_without_the_body(studio, song):
    base = f"api/songs/{song['id']}"
    for path in ("", "static/app.js", "api/songs", base, f"{base}/stems/vocals.wav", f"{base}/original"):
        got, asked = studio.http.get(path), studio.http.head(path)
        assert asked.status_code == 200
        assert asked.headers["content-length"] == got.headers["content-length"] == str(len(got.content))
        assert asked.headers["content-type"] == got.headers["content-type"]
        assert asked.content == b""
    assert studio.http.head("api/events").status_code == 200
    assert studio.http.head(f"api/songs/{NOBODY}").status_code == 404
    assert studio.http.head("api/songs/delete").status_code in (404, 405, 422)


def test_browsers_keep_the_files_of_a_version_and_ask_about_others(studio):
    for path in ("", "static/remote.html", "static/app.js", "static/0123456789abcdef/app.js"):
        assert studio.http.get(path).headers["cache-control"] == "no-cache"
    for document in ("", "static/remote.html", "static/stage.html"):
        page = studio.http.get(document)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        files = set(re.findall(r'"(/static/[0-9a-f]+/[^"]+)"', page.text))
        assert {path.rpartition(".")[2] for path in files} == {"js", "css", "svg"}
        for path in files:
            first = studio.http.get(path)
            assert first.headers["cache-control"] == "max-age=31536000, immutable"
            assert first.content == studio.http.get("static/" + path.rpartition("/")[2]).content
            again = studio.http.get(path, headers={"if-none-match": first.headers["etag"]})
            assert again.status_code == 304


def test_requests_beyond_a_size_are_refused(studio, song):
    address = f"api/songs/{song['id']}/settings"
    large = b'{"position": ' + b" " * 1_100_000 + b"1}"
    json_type = {"content-type": "application/json"}
    for content in (large, (large[start : start + 100_000] for start in range(0, len(large), 100_000))):
        answer = studio.http.put(address, content=content, headers=json_type)
        assert answer.status_code == 413
        assert "larger than 1 MB" in answer.json()["detail"]


def test_a_studio_of_this_machine_alone_has_no_addresses(studio):
    assert studio.http.get("api/info").json()["network"] is False
    assert studio.http.get("api/network").json() == {"addresses": []}
    assert studio.http.get("api/network/qr.svg").status_code == 404


def test_the_network_needs_the_token_and_gets_addresses_and_a_code(tmp_path):
    with opened(tmp_path / "library", "--host", "0.0.0.0") as studio:
        token = studio.address.split("token=")[1]
        printed = "".join(studio.stderr_lines)
        assert "warning" in printed
        assert "█" in printed or "▀" in printed
        with client_of(f"http://127.0.0.1:{studio.http.base_url.port}") as visitor:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "vocalsep-token=wrong"}):
                assert visitor.get("/api/songs", headers=headers).status_code == 401
            for path in ("", "static/app.js", "api/songs"):
                page = visitor.get(path, headers={"accept": "text/html,*/*"})
                assert page.status_code == 401
                assert page.headers["content-type"].startswith("text/html")
                assert "whole address" in page.text
                assert token not in page.text
                assert "default-src 'none'" in page.headers["content-security-policy"]
                assert "detail" in visitor.get(path).json()
            assert "detail" in visitor.post("api/songs", headers={"accept": "text/html"}).json()
            assert visitor.get("api/network/qr.svg").status_code == 401
            bearer = {"authorization": f"Bearer {token}"}
            assert visitor.get("api/info", headers=bearer).json()["network"] is True
            addresses = visitor.get("api/network", headers=bearer).json()["addresses"]
            assert addresses[0] == studio.address
            assert all(address.endswith(f"/?token={token}") for address in addresses)
            code = visitor.get("api/network/qr.svg", headers=bearer)
            assert code.headers["content-type"] == "image/svg+xml"
            assert code.content.startswith(b"<?xml")
            beyond = visitor.get("api/network/qr.svg", params={"address": len(addresses)}, headers=bearer)
            assert beyond.status_code == 404
            for path, location in (("//evil.example/", "/evil.example/"), ("/%0d%0ax:%20y", "/%0D%0Ax%3A%20y")):
                sent = httpx.get(f"{str(visitor.base_url).rstrip('/')}{path}?token={token}", timeout=30)
                assert (sent.status_code, sent.headers["location"]) == (303, location)
            assert visitor.get("/", params={"token": token}).status_code == 303
            assert visitor.get("/api/songs").status_code == 200

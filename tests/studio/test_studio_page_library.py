"""The studio's page in a headless browser: the list of songs, uploads, errors, languages, accessibility and sizes."""

import json
import re

import pytest
from conftest import RATE, tones, write
from studio_page import (
    PAGE_FOLDER,
    answer,
    axe_script,
    choose_from_menu,
    needs_chromium,
    open_page,
    open_song,
    play,
    upload,
)
from test_studio import Studio

from vocalsep.studio.error_messages import Code

pytest_plugins = ["studio_page"]
pytestmark = needs_chromium
LANGUAGES = ("en", "de", "es", "zh", "ja")
SIZES = ((360, 740), (820, 1180), (1280, 800), (1920, 1080))
MAX_PAGE_BYTES = 250_000
# Adds songs to the list as the studio's events would.
MANY_SONGS = """
(count) => {
  for (let i = 0; i < count; i += 1) {
    window.studio.songList.show({
      id: `song-${i}`, name: `${i}.mp3`, title: `Title ${i}`, artist: `Artist ${i % 7}`, album: "", track: "",
      state: "done", ready: 44100 * (i + 1), sample_rate: 44100, samples: 44100 * (i + 1), created: i, bytes: 1e6 * i,
    });
  }
}
"""


def titles(page):
    return page.locator("#songs li:not([hidden]) .song-title").all_text_contents()


@pytest.fixture
def many(page, song):
    page.wait_for_function("() => window.studio.songView.id")
    page.evaluate(MANY_SONGS, 208)
    page.wait_for_function("() => document.querySelectorAll('#songs li').length >= 209")
    return page


@pytest.mark.slow
def test_a_list_of_200_songs_is_one_line_each_and_scrolls_by_itself(many, song):
    height = many.evaluate("document.documentElement.scrollHeight")
    assert height < 2500
    assert many.locator("#songs li").first.bounding_box()["height"] < 60
    many.evaluate("document.querySelector('#songs').scrollTop = 3000")
    many.wait_for_timeout(200)
    assert many.evaluate("document.querySelector('#songs').scrollTop") > 2000
    # A row that is whole in sight: for another one the list would be scrolled before the click.
    index = many.evaluate(
        """() => {
          const top = document.querySelector('#songs').getBoundingClientRect().top;
          const rows = [...document.querySelectorAll('#songs li')];
          return rows.findIndex((row) => row.getBoundingClientRect().top > top + 80);
        }"""
    )
    row = many.locator("#songs li").nth(index)
    songs = many.locator("#songs")
    before = row.bounding_box()["y"] - songs.bounding_box()["y"]
    row.locator("button.name").click()
    many.wait_for_timeout(200)
    assert abs(row.bounding_box()["y"] - songs.bounding_box()["y"] - before) < 10
    assert many.evaluate("scrollY") == 0
    assert "209 songs, " in many.text_content("#library-size")


def test_songs_are_searched_and_sorted(many):
    many.fill("#search", "101 ARTIST 3")
    assert titles(many) == ["Title 101"]
    many.fill("#search", "no such song")
    assert many.is_visible("#no-match")
    many.fill("#search", "title")
    many.select_option("#sort", "oldest")
    assert titles(many)[:2] == ["Title 0", "Title 1"]
    many.select_option("#sort", "title")
    assert titles(many)[9:12] == ["Title 9", "Title 10", "Title 11"]
    for order in ("size", "newest"):
        many.select_option("#sort", order)
        assert titles(many)[0] == "Title 207"
    many.select_option("#sort", "artist")
    assert titles(many)[:2] == ["Title 0", "Title 7"]


def test_a_song_is_renamed_and_several_are_deleted_at_once(page, page_studio, song, tmp_path):
    added = [upload(page, page_studio, write(tmp_path / f"{name}.wav", tones(1), RATE)) for name in ("one", "two")]
    assert [one["duplicate_of"] for one in added] == [None, added[0]["id"]]
    row = page.locator(f"#songs li[data-id='{added[1]['id']}']")
    assert "duplicate" in row.get_attribute("class")
    choose_from_menu(page, added[0], "rename")
    page.fill("#rename-text", "A new name")
    page.fill("#rename-artist", "Somebody")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#songs li[data-id='{added[0]['id']}'] button[title='A new name – Somebody']")
    assert page_studio.http.get(f"api/songs/{added[0]['id']}").json()["artist"] == "Somebody"
    page.click("#select-songs")
    for one in added:
        page.check(f"#songs li[data-id='{one['id']}'] input")
    assert page.text_content("#delete-selected") == "Delete 2 songs"
    page.click("#delete-selected")
    answer(page, "delete")
    for one in added:
        page.wait_for_function("id => !document.querySelector(`#songs li[data-id='${id}']`)", arg=one["id"])
    assert [one["id"] for one in page_studio.http.get("api/songs").json()] == [song["id"]]
    assert page.problems == []


def test_a_song_that_is_added_is_opened_unless_another_plays(page, page_studio, song, tmp_path):
    opened = "window.studio.songView.id"
    first = upload(page, page_studio, write(tmp_path / "first.wav", tones(1), RATE))
    page.wait_for_function(f"id => {opened} === id", arg=first["id"])
    open_song(page, song)
    play(page, 2)
    second = upload(page, page_studio, write(tmp_path / "second.wav", tones(1, seed=1), RATE))
    page_studio.until(second["id"], "done")
    assert page.evaluate(opened) == song["id"]
    assert page.evaluate("window.studio.player.playing")
    page_studio.http.post("api/songs/delete", json={"ids": [first["id"], second["id"]]})
    assert page.problems == []


def test_songs_that_cannot_be_played_say_why_and_offer_a_restart(page, page_studio, song, tmp_path):
    first = upload(page, page_studio, write(tmp_path / "long.flac", tones(500, 16000, 1), 16000))
    second = upload(page, page_studio, write(tmp_path / "next.flac", tones(2, 16000, 1), 16000))
    third = upload(page, page_studio, write(tmp_path / "third.flac", tones(2, 16000, 1, seed=1), 16000))
    open_song(page, second)
    page.wait_for_function("() => document.querySelector('#waiting-text').textContent.includes('next in the queue')")
    in_list = page.locator(f"#songs li[data-id='{third['id']}']")
    in_list.get_by_text("Waiting, number 2").wait_for()
    assert not page.is_visible("#play")
    page.reload()
    page.wait_for_function("() => window.studio?.songView.id")
    page.click("#waiting-cancel")
    page.wait_for_function("() => document.querySelector('#waiting-text').textContent.includes('cancelled')")
    in_list.get_by_text("Waiting, next").wait_for()
    assert page.is_visible("#waiting-restart")
    open_song(page, first)
    page_studio.until(first["id"], "running", "done")
    page.wait_for_function("() => window.studio.songView.song.ready > 0", timeout=60000)
    choose_from_menu(page, first, "cancel")
    answer(page, "keep")
    kept = page_studio.until(first["id"], "done")
    assert kept["partial"]
    assert kept["samples"] < 500 * 16000
    assert page.is_visible("#play")
    open_song(page, second)
    page.click("#waiting-restart")
    page_studio.until(second["id"], "done")
    page.wait_for_function("() => !document.querySelector('#song-view').classList.contains('not-playable')")
    page_studio.http.post("api/songs/delete", json={"ids": [first["id"], second["id"], third["id"]]})
    assert page.problems == []


def test_errors_come_in_a_group_with_retry_and_dismiss(page, tmp_path):
    for name in ("diary.mp3", "letter.mp3"):
        (tmp_path / name).write_text("Dear diary\n" * 100)
    page.set_input_files("#file", [tmp_path / "diary.mp3", tmp_path / "letter.mp3"])
    page.get_by_text("2 files could not be added").wait_for(timeout=20000)
    assert page.locator(".message").count() == 1
    lines = page.locator(".message li").all_text_contents()
    assert [line.split(":")[0] for line in lines] == ["diary.mp3", "letter.mp3"]
    with page.expect_response(lambda response: "letter.mp3" in response.url, timeout=20000) as sent:
        page.click(".message button:has-text('Try again')")
    assert sent.value.status == 422
    page.get_by_text("2 files could not be added").wait_for(timeout=20000)
    page.click(".message button:has-text('Dismiss')")
    assert page.locator(".message").count() == 0


def test_a_dropped_folder_gives_its_songs_in_order(page):
    names = page.evaluate(
        """async () => {
          const { filesOf } = await import("/static/file_drop.js");
          const file = (name) => ({ isFile: true, name, file: (done) => done(new File(["x"], name)) });
          const folder = (name, children) => ({
            name,
            createReader: () => {
              // As browsers do: some at a time, and none at the end.
              const parts = [children.slice(0, 2), children.slice(2), []];
              return { readEntries: (done) => done(parts.shift()) };
            },
          });
          const disc = folder("disc 2", [file("1.mp3")]);
          return (await filesOf(folder("album", [file("10.mp3"), file("2.mp3"), disc]))).map((one) => one.name);
        }"""
    )
    assert names == ["2.mp3", "10.mp3", "1.mp3"]


def test_an_empty_studio_shows_a_drop_zone_and_where_songs_go(browser, tmp_path):
    served = Studio(tmp_path / "library", "--host", "0.0.0.0")
    try:
        port, token = re.search(r":(\d+)/\?token=(\S+)", served.stderr_lines[-1]).groups()
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        # An address of this machine that is not the one the page takes for local.
        page = open_page(context, f"http://127.0.0.2:{port}/?token={token}")
        page.wait_for_selector("#welcome")
        assert page.locator("#welcome").bounding_box()["height"] > 400
        assert not page.is_visible("#library")
        assert "sent to 127.0.0.2" in page.text_content("#welcome .private")
        page.click("#open-settings")
        page.wait_for_selector("#addresses a")
        addresses = page.locator("#addresses a").all_text_contents()
        assert re.match(rf"http://[\d.]+:{port}/\?token=", addresses[0])
        page.wait_for_function("() => document.querySelector('#network-code').naturalWidth > 0")
        assert page.problems == []
        page.goto(f"http://127.0.0.1:{port}/?token={token}")
        page.wait_for_function("() => document.querySelector('#welcome .private').textContent.includes('this machine')")
        page.click("#try-example")
        page.wait_for_selector("#song-view:not([hidden])")
        assert "Paper Lantern" in page.text_content("#songs")
        context.close()
    finally:
        served.close()


def test_the_main_job_is_above_the_fold(browser, page_studio, song):
    for width, height in ((360, 740), (1280, 800)):
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        page = open_page(context, page_studio.address)
        page.wait_for_function("() => window.studio.songView.id")
        bar = page.locator("#bar").bounding_box()
        assert bar["y"] + bar["height"] <= height + 1
        for control in ("#voices", "#waveform", "#key", "#tempo", "#download-karaoke"):
            box = page.locator(control).bounding_box()
            assert box["y"] + box["height"] <= bar["y"], control
        for control in ("#play", "#time", "#bar-voice"):
            assert page.locator(control).is_visible(), control
        # The bar is where it is: to go there moves nothing.
        page.locator("#play").focus()
        assert page.evaluate("scrollY") == 0
        context.close()


def test_the_list_is_a_drawer_on_a_phone(browser, page_studio, song):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, locale="en-GB")
    page = open_page(context, page_studio.address)
    page.wait_for_function("() => window.studio.songView.id")
    assert not page.is_visible("#songs")
    page.click("#open-library")
    assert page.is_visible("#songs")
    assert page.evaluate("document.querySelector('#main').inert")
    page.keyboard.press("Escape")
    assert not page.is_visible("#songs")
    assert page.evaluate("document.activeElement.id") == "open-library"
    page.click("#open-library")
    open_song(page, song)
    assert not page.is_visible("#songs")
    context.close()


def test_there_is_a_skip_link_and_a_text_without_javascript(browser, page, page_studio, song):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page_studio.address)
    texts = plain.locator(".notice[lang]").all_text_contents()
    assert len(texts) == len(LANGUAGES)
    assert plain.locator("noscript p[lang=en]").is_visible()
    context.close()


def test_names_begin_with_the_visible_label(page, song):
    open_song(page, song)
    page.evaluate("for (const section of document.querySelectorAll('details')) section.open = true")
    wrong = page.evaluate(
        r"""() => [...document.querySelectorAll("button, a[href], select, input")]
          .filter((control) => control.checkVisibility())
          .map((control) => {
            const visible = control.matches("button, a") ? control.textContent.trim() : "";
            const name = control.ariaLabel ?? (control.labels?.[0]?.textContent ?? visible).trim();
            // Arrows and signs are no words that anybody speaks.
            const spoken = /[\p{L}]/u.test(visible) ? visible : "";
            return { name, spoken, html: control.outerHTML };
          })
          .filter(({ name, spoken }) => !name || !name.startsWith(spoken))"""
    )
    assert wrong == []


def test_pressed_states_are_visible_in_forced_colours(browser, page_studio, song):
    context = browser.new_context(forced_colors="active", locale="en-GB", viewport={"width": 1280, "height": 800})
    page = open_page(context, page_studio.address)
    open_song(page, song)
    background = "id => getComputedStyle(document.querySelector(id)).backgroundColor"
    before = page.evaluate(background, "#mute-vocals")
    page.click("#mute-vocals")
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('#mute-vocals')).backgroundColor !== before", arg=before
    )
    chosen = page.evaluate(background, "#voices label:has(:checked)")
    assert chosen != page.evaluate(background, "#voices label:not(:has(:checked))")
    context.close()


def accessibility_faults(page, axe):
    """What axe-core finds on the page as it is."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=axe)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


@pytest.fixture(scope="module")
def axe():
    path = axe_script()
    if path is None:
        pytest.skip("axe-core is missing: pip install axe-playwright-python, or AXE_CORE=folder of the npm package")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_any_size(browser, page_studio, song, axe, scheme):
    context = browser.new_context(color_scheme=scheme, locale="en-GB", bypass_csp=True, reduced_motion="reduce")
    page = open_page(context, page_studio.address)
    page.wait_for_function("() => window.studio.songView.id")
    page.evaluate("for (const section of document.querySelectorAll('details')) section.open = true")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert accessibility_faults(page, axe) == [], (width, scheme)
    context.close()


def test_axe_finds_nothing_in_dialogs_and_other_pages(browser, page_studio, song, axe, tmp_path):
    context = browser.new_context(
        viewport={"width": 820, "height": 1180},
        locale="en-GB",
        bypass_csp=True,
        reduced_motion="reduce",
        accept_downloads=True,
    )
    page = open_page(context, f"{page_studio.address}#{song['id']}")
    page.wait_for_function("() => window.studio.songView.id")
    for name in ("diary.mp3", "letter.mp3"):
        (tmp_path / name).write_text("Dear diary\n" * 100)
    page.set_input_files("#file", [tmp_path / "diary.mp3", tmp_path / "letter.mp3"])
    page.get_by_text("2 files could not be added").wait_for(timeout=20000)
    with page.expect_download():
        page.click("#download-karaoke")
    page_studio.http.put(f"api/songs/{song['id']}/lyrics", content=b"First line\nSecond line")
    page.wait_for_selector("#words.untimed, #words:has(.untimed)")
    assert accessibility_faults(page, axe) == []
    page_studio.http.delete(f"api/songs/{song['id']}/lyrics")
    page.click("#open-settings")
    assert accessibility_faults(page, axe) == []
    page.keyboard.press("Escape")
    page.click("#open-library")
    page.click("#select-songs")
    assert accessibility_faults(page, axe) == []
    for action, dialog in (("rename", "#rename"), ("sing", "#sing"), ("delete", "#question")):
        page.click("#songs button.menu")
        assert accessibility_faults(page, axe) == []
        page.click(f"#song-menu [data-action='{action}']")
        page.wait_for_selector(f"{dialog}[open]")
        assert accessibility_faults(page, axe) == []
        page.keyboard.press("Escape")
    for path in ("remote.html", "stage.html"):
        page.goto(f"{page_studio.address}static/{path}")
        page.wait_for_selector("[data-text]:not(:empty)")
        assert accessibility_faults(page, axe) == [], path
    context.close()


def test_no_language_lacks_a_text():
    tables = {code: json.loads((PAGE_FOLDER / "languages" / f"{code}.json").read_text("utf-8")) for code in LANGUAGES}
    assert sorted(path.stem for path in (PAGE_FOLDER / "languages").iterdir()) == sorted(LANGUAGES)
    used = set()
    for path in [*PAGE_FOLDER.glob("*.js"), *PAGE_FOLDER.glob("*.html")]:
        source = path.read_text("utf-8")
        used |= set(re.findall(r'(?<![\w.])text\(\s*"(\w+)"', source))
        used |= set(re.findall(r'data-(?:text|label|placeholder|alt)="(\w+)"', source))
        used |= {word for word in re.findall(r'"(\w+)"', source) if word in tables["en"]}
    # The studio's errors: a code without a text in some language would be shown in English.
    used |= {f"problem_{code.text}" for code in Code}
    assert used == set(tables["en"])
    for code, table in tables.items():
        assert set(table) == set(tables["en"]), code
        forms = {"other"} if code in ("zh", "ja") else {"one", "other"}
        for key, entry in table.items():
            texts = entry.values() if isinstance(entry, dict) else [entry]
            assert all(one.strip() for one in texts), (code, key)
            if isinstance(entry, dict):
                assert set(entry) == forms, (code, key)
            english = tables["en"][key]
            wanted = english["other"] if isinstance(english, dict) else english
            for one in texts:
                assert set(re.findall(r"\{\w+\}", one)) == set(re.findall(r"\{\w+\}", wanted)), (code, key)


def test_errors_of_the_studio_are_in_the_language_of_the_page(browser, page_studio, song, tmp_path):
    context = browser.new_context(locale="de-DE", viewport={"width": 1280, "height": 800})
    page = open_page(context, page_studio.address)
    (tmp_path / "nothing.mp3").touch()
    page.set_input_files("#file", tmp_path / "nothing.mp3")
    page.wait_for_selector("#messages :text('diese Datei ist leer (0 Bytes)')")
    whole = write(tmp_path / "whole.flac", tones(2), RATE).read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    cut = upload(page, page_studio, tmp_path / "cut.flac")
    page_studio.until(cut["id"], "failed")
    open_song(page, cut)
    page.wait_for_selector("#waiting-text:text('die Datei ist beschädigt: ')")
    page_studio.http.delete(f"api/songs/{cut['id']}")
    # A code that this page does not know has the studio's sentence.
    page.route("**/exports", lambda route: route.fulfill(status=409, json={"detail": "not today", "code": "other"}))
    open_song(page, song)
    page.click("#download-karaoke")
    page.wait_for_selector("#messages :text('not today')")
    context.close()


def test_no_visible_text_is_outside_the_tables(browser, page_studio, song):
    def marked(entry):
        return {form: marked(one) for form, one in entry.items()} if isinstance(entry, dict) else f"⟦{entry}⟧"

    def answer_with_marks(route):
        table = route.fetch().json()
        route.fulfill(json={key: marked(entry) for key, entry in table.items()})

    # Of its own, for the tables stay in the browser's cache.
    context = browser.new_context(locale="en-GB")
    context.route("**/languages/*.json", answer_with_marks)
    for path in ("", "static/remote.html"):
        page = context.new_page()
        page.goto(page_studio.address + path)
        page.wait_for_function("id => document.body.textContent.includes(id)", arg=song["title"])
        page.evaluate(
            """() => {
              for (const section of document.querySelectorAll("details")) section.open = true;
              document.querySelector("#open-settings")?.click();
              document.querySelector("#songs button.menu")?.click();
            }"""
        )
        outside = page.evaluate(
            r"""() => {
              const texts = [];
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
              const isOwn = (element) => element.closest("[translate=no], noscript, script") !== null;
              for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                if (node instanceof Text) {
                  if (!isOwn(node.parentElement)) texts.push(node.data);
                  continue;
                }
                for (const name of ["aria-label", "placeholder", "title", "alt"]) {
                  if (!isOwn(node)) texts.push(node.getAttribute(name) ?? "");
                }
              }
              // Numbers with their units and signs are the same everywhere.
              // A text may stand in another.
              const unmarked = (text) => {
                const rest = text.replace(/⟦[^⟦⟧]*⟧/g, "");
                return rest === text ? text : unmarked(rest);
              };
              return texts.map(unmarked).filter((text) => /\p{L}{2}/u.test(text));
            }"""
        )
        assert [text for text in outside if song["title"] not in text] == []
    context.close()


def test_the_language_follows_the_browser_and_the_menu(browser, page_studio, song):
    context = browser.new_context(locale="de-AT", viewport={"width": 1280, "height": 800})
    page = open_page(context, page_studio.address)
    assert page.text_content("#download-karaoke") == "Karaoke herunterladen"
    assert page.get_attribute("html", "lang") == "de"
    page.select_option("#language", "ja")
    page.wait_for_function("() => document.querySelector('#download-karaoke').textContent === 'カラオケを保存'")
    page.reload()
    page.wait_for_function("() => document.documentElement.lang === 'ja'")
    # Long words fit the narrow page in every language.
    for code in LANGUAGES:
        page.set_viewport_size({"width": 360, "height": 740})
        page.select_option("#language", code)
        page.wait_for_function("code => document.documentElement.lang === code && window.studio?.songView.id", arg=code)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), code
    context.close()


def test_a_visit_loads_less_than_250_kb_and_nothing_from_elsewhere(context, page_studio, song):
    sizes = {}
    page = context.new_page()
    page.on("response", lambda response: sizes.setdefault(response.url, response))
    page.goto(page_studio.address)
    page.wait_for_function("() => window.studio?.songView.id")
    assert all(url.startswith(page_studio.address.rstrip("/")) for url in sizes)
    loaded = [one for url, one in sizes.items() if "/static/" in url or url == page_studio.address]
    assert len(loaded) > 30
    assert sum(len(one.body()) for one in loaded) < MAX_PAGE_BYTES
    policy = sizes[page_studio.address].headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy

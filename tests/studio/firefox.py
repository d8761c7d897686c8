"""Firefox without a window, driven by its own protocol (Marionette): JSON over a socket, no further packages."""

import base64
import json
import shutil
import socket
import subprocess
import time

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
START_S = 60
# What the browser asks and loads by itself is switched off; sound plays without a click, as in the tests of Chromium.
PREFERENCES = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.aboutwelcome.enabled": False,
}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Firefox:
    """A Firefox with one tab; close it, or use it in a ``with``."""

    def __init__(self, folder, languages="en-GB"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        preferences = {**PREFERENCES, "marionette.port": port, "intl.accept_languages": languages}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (folder / "user.js").write_text("\n".join(lines))
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=START_S)
                break
            except OSError:
                assert self.process.poll() is None, "Firefox does not start"
                assert time.monotonic() < deadline, "Firefox is not reached"
                time.sleep(0.1)
        self.stream = self.socket.makefile("rb")
        self._read()
        self.count = 0
        self.send("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self.send("WebDriver:SetTimeouts", script=60_000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, name, **parameters):
        """Send a command of WebDriver, and return its result."""
        self.count += 1
        message = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        assert error is None, error
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def open(self, address):
        self.send("WebDriver:Navigate", url=address)

    def run(self, script, *arguments):
        """Return the value of an expression or of a function of the arguments; promises are awaited."""
        body = f"""
            const done = arguments[arguments.length - 1];
            const value = ({script});
            const given = [...arguments].slice(0, -1);
            Promise.resolve(typeof value === "function" ? value(...given) : value)
              .then((result) => done([result ?? null, null]), (error) => done([null, String(error)]));
        """
        result, error = self.send("WebDriver:ExecuteAsyncScript", script=body, args=arguments, sandbox=None)
        assert error is None, error
        return result

    def until(self, script, *arguments, timeout=20):
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + timeout
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < deadline, f"never: {script}"
            time.sleep(0.05)
        return value

    def find(self, selector):
        return self.send("WebDriver:FindElement", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        self.send("WebDriver:ElementClick", id=self.find(selector))

    def type(self, selector, text):
        """Type into an element; into an input of files, the path of one."""
        self.send("WebDriver:ElementSendKeys", id=self.find(selector), text=str(text))

    def resize(self, width, height):
        self.send("WebDriver:SetWindowRect", width=width, height=height)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.send("WebDriver:TakeScreenshot", full=False)))

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=20)

    def _read(self):
        length = b""
        while (byte := self.stream.read(1)) != b":":
            length += byte
        return json.loads(self.stream.read(int(length)))

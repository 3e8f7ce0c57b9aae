#!/usr/bin/env python3
"""A browser in the hands of a script: one command a call, over WebDriver.

    browser.py start [WIDTH HEIGHT]    starts chromedriver and a headless browser
    browser.py open URL                goes there
    browser.py see CSS [TEXT]          waits for an element, with this text in it
    browser.py gone CSS [TEXT]         waits until there is no such element
    browser.py count CSS               prints how many there are
    browser.py click CSS               clicks the first
    browser.py type CSS TEXT           types into it, and ENTER
    browser.py run SCRIPT              runs JavaScript and prints what it returns
    browser.py size WIDTH HEIGHT       sets the size of the window
    browser.py scheme light|dark       sets the preferred colours
    browser.py shot FILE               saves a picture of the page
    browser.py errors                  prints what the browser has complained of
    browser.py stop                    ends both

What is to be remembered between calls is in browser.json, in the folder of the script."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

STATE = "browser.json"
LOG = "chromedriver.log"
WAIT_S = float(os.environ.get("FLUX_TEST_WAIT", "30"))
PAUSE_S = 0.05
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server", "--force-color-profile=srgb",
]


def call(state, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{state['driver']}{path}", data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=WAIT_S + 30) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        value = json.load(error)["value"]
        sys.exit(f"browser: {value['error']}: {value['message'].splitlines()[0]}")


def in_session(state, method, path, body=None):
    return call(state, method, f"/session/{state['session']}{path}", body)


def run(state, script, *args):
    return in_session(state, "POST", "/execute/sync", {"script": script, "args": list(args)})


def listening(driver):
    """The port that chromedriver has taken, which it says in its log."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and driver.poll() is None:
        with open(LOG) as log:
            found = re.search(r"started successfully on port (\d+)", log.read())
        if found:
            return int(found[1])
        time.sleep(PAUSE_S)
    sys.exit(f"browser: chromedriver has not started: see {LOG}")


def start(width="1280", height="800"):
    with open(LOG, "w") as log:
        driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=log, stderr=log, start_new_session=True)
    port = listening(driver)
    profile = tempfile.mkdtemp(prefix="profile-", dir=".")
    flags = [*FLAGS, f"--user-data-dir={os.path.abspath(profile)}", f"--window-size={width},{height}"]
    state = {"pid": driver.pid, "driver": f"http://127.0.0.1:{port}"}
    wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"}}
    with open(STATE, "w") as file:
        json.dump(state, file)
    state["session"] = call(state, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
    with open(STATE, "w") as file:
        json.dump(state, file)


FIND = """return [...document.querySelectorAll(arguments[0])]
    .some((element) => element.textContent.includes(arguments[1]));"""


def wait(state, css, text, wanted):
    end = time.monotonic() + WAIT_S
    while run(state, FIND, css, text) != wanted:
        if time.monotonic() > end:
            page = run(state, "return document.body.innerText")
            sys.exit(f"browser: {css} {text!r}: {'not there' if wanted else 'still there'}; the page is\n{page}")
        time.sleep(PAUSE_S)


def element(state, css):
    found = in_session(state, "POST", "/element", {"using": "css selector", "value": css})
    return next(iter(found.values()))


def chrome(state, command, **params):
    return in_session(state, "POST", "/goog/cdp/execute", {"cmd": command, "params": params})


def command(state, name, args):
    if name == "open":
        in_session(state, "POST", "/url", {"url": args[0]})
    elif name in ("see", "gone"):
        wait(state, args[0], args[1] if len(args) > 1 else "", name == "see")
    elif name == "count":
        print(run(state, "return document.querySelectorAll(arguments[0]).length", args[0]))
    elif name == "click":
        in_session(state, "POST", f"/element/{element(state, args[0])}/click", {})
    elif name == "type":
        in_session(state, "POST", f"/element/{element(state, args[0])}/value", {"text": args[1] + "\ue007"})
    elif name == "run":
        print(json.dumps(run(state, args[0]), ensure_ascii=False))
    elif name == "size":
        chrome(state, "Emulation.setDeviceMetricsOverride", width=int(args[0]), height=int(args[1]),
               deviceScaleFactor=1, mobile=False)
    elif name == "scheme":
        chrome(state, "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": args[0]}])
    elif name == "shot":
        with open(args[0], "wb") as file:
            file.write(base64.b64decode(in_session(state, "GET", "/screenshot")))
    elif name == "errors":
        for entry in in_session(state, "POST", "/se/log", {"type": "browser"}):
            if entry["level"] in ("SEVERE", "WARNING"):
                print(entry["message"])
    elif name == "stop":
        try:
            if "session" in state:
                in_session(state, "DELETE", "")
        finally:
            os.killpg(state["pid"], signal.SIGTERM)
            os.remove(STATE)
    else:
        sys.exit(__doc__)


def main(name, *args):
    if name == "start":
        return start(*args)
    with open(STATE) as file:
        state = json.load(file)
    return command(state, name, args)


main(*sys.argv[1:])

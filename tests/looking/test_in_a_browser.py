"""One real run, looked at in every way there is: figures, the report, the dashboard and TensorBoard, in Debian's chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from plotly.graph_objects import Figure
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import microtune as mt

SECONDS = 120  # for whatever is waited for: this may be a slow machine
TRIALS = 60
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1366,1600",
)  # fmt: skip


def train(config):
    loss = 1.0
    for _ in range(9):
        loss *= 1 - config["lr"] * (2 - config["lr"]) + 0.01 * config["optimizer"].get("momentum", 0.1)
        mt.report(loss=loss)


SPACE = {
    "lr": mt.loguniform(1e-3, 1.0),
    "optimizer": mt.choice([{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam"}]),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    tuner = mt.Tuner(
        train,
        param_space=SPACE,
        metric="loss",
        mode="min",
        num_samples=TRIALS,
        scheduler="asha:max_t=9,reduction_factor=3",
        executor="local:workers=2",
        loggers=("tensorboard",),
        seed=1,
        name="seen",
        storage_path=tmp_path_factory.mktemp("runs"),
    )
    return Path(tuner.fit().path)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert None not in (browser, driver), "these tests look at pages in a browser: apt install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def wait(chrome: webdriver.Chrome, code: str):
    """What the JavaScript comes to, once it comes to something."""
    return WebDriverWait(chrome, SECONDS, 0.1).until(lambda chrome: chrome.execute_script(f"return {code}"))


# TensorBoard's page is made of shadow trees, which querySelector and innerText stop at.
DEEP = """((wanted) => { const found = []; const look = (root) => {
    for (const each of root.querySelectorAll('*')) {
        if (each.matches(wanted)) found.push(each);
        if (each.shadowRoot) look(each.shadowRoot);
    } }; look(document); return found; })"""
TEXT = f"{DEEP}('*').map(each => each.shadowRoot ? each.shadowRoot.textContent : '').join(' ') + document.body.innerText"


def at(url: str):
    """The JSON at a URL, or nothing while nobody answers there."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            return json.load(response)
    except URLError:
        return []


def no_errors(chrome: webdriver.Chrome) -> bool:
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_every_figure_is_drawn_or_says_why_not(run):
    grid = mt.ResultGrid(run)
    missing = {}
    for entry in mt.installed("figure"):
        try:
            assert isinstance(getattr(grid, f"plot_{entry.name.replace('-', '_')}")(), Figure)
        except mt.RunError as error:
            missing[entry.name] = str(error)
    assert set(missing) == {"lineage", "pareto"}, "this run has one metric, and nobody took over anybody's checkpoint"


def test_the_report_is_one_file_that_needs_nothing_else(run, chromium, tmp_path):
    file = tmp_path / "report.html"
    command = [sys.executable, "-m", "microtune", "report", str(run), "-o", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    chromium.get(file.as_uri())
    wait(chromium, "document.querySelectorAll('.js-plotly-plot').length >= 6")
    assert "seen" in chromium.execute_script("return document.querySelector('h1').innerText")
    assert no_errors(chromium)


def test_the_dashboard_shows_the_figures_that_are_installed(run, chromium):
    command = [sys.executable, "-m", "microtune", "dashboard", "--json", str(run)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        chromium.get(json.loads(server.stdout.readline())["url"])
        wait(chromium, "document.querySelector('table.runs tbody a')").click()
        wait(chromium, f"document.querySelectorAll('table.trials tbody tr').length && '{TRIALS}'")
        wait(chromium, "[...document.querySelectorAll('a')].find(each => each.innerText === 'Figures')").click()
        wait(chromium, "document.querySelectorAll('.js-plotly-plot').length >= 2")
        assert no_errors(chromium)
        chromium.get("about:blank")
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=SECONDS)


def test_tensorboard_shows_scalars_and_hparams(run, chromium):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["--logdir", str(run / "tensorboard"), "--host", "127.0.0.1", "--port", str(port)]
    log = run.parent / "tensorboard.log"
    with log.open("w") as file:
        # In a session of its own: it starts a data server, which is to end with it.
        server = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *options], stdout=file, stderr=file, start_new_session=True
        )
    try:
        # Its page asks once for what there is, and TensorBoard reads the files in the background: all is to be read.
        WebDriverWait(None, SECONDS, 0.1).until(lambda _: server.poll() is not None or len(at(f"{url}/data/runs")) == TRIALS)
        assert server.poll() is None, log.read_text()
        assert at(f"{url}/data/plugins_listing")["hparams"]["enabled"]
        chromium.get(f"{url}/#scalars")
        wait(chromium, f"({TEXT}).includes('00000') && ({TEXT}).includes('loss')")
        # Of more than 40 runs it draws none before one asks for them.
        wait(chromium, f"{DEEP}('paper-button').find(each => /toggle all runs/i.test(each.innerText))").click()
        wait(chromium, f"{DEEP}('path').filter(each => (each.getAttribute('d') || '').length > 100).length >= {TRIALS} / 4")
        chromium.get(f"{url}/#hparams")
        chromium.refresh()
        wait(chromium, f"['Trial ID', 'lr', 'optimizer', '00000'].every(word => ({TEXT}).includes(word))")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=SECONDS)

"""The page in a real browser."""

from __future__ import annotations

import shutil
import time

import pytest
from selenium import webdriver

from microtune.testing import fake_dist

from .conftest import HOSTILE, SECONDS, Dashboard, make_run
from .test_server import live_run

DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1366,900",
)  # fmt: skip


class Page:
    def __init__(self, driver):
        self.driver = driver

    def js(self, code, *arguments):
        return self.driver.execute_script(f"return {code}", *arguments)

    def text(self, selector):
        return self.js("document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        return self.js("[...document.querySelectorAll(arguments[0])].map(each => each.innerText)", selector)

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def type(self, selector, text):
        element = self.driver.find_element("css selector", selector)
        element.clear()
        element.send_keys(text or " ")

    def wait(self, told):
        deadline = time.monotonic() + SECONDS
        while not (found := told()):
            assert time.monotonic() < deadline, self.text("body")[:2000]
            time.sleep(0.02)
        return found

    def open(self, url):
        self.driver.get("about:blank")  # an address that differs behind the # only would not be loaded anew
        self.driver.get(url)

    def no_errors(self):
        """Nothing went wrong in the page, and nothing broke its policy."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    assert None not in (DRIVER, BROWSER), "these tests look at pages in a browser: apt install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium):
    chromium.get_log("browser")
    yield Page(chromium)
    chromium.get("about:blank")  # no stream stays open


def rows(page):
    return page.texts("table.trials tbody tr:not(.space) th")


def test_the_page_follows_a_run_of_another_process(page, dashboard, tmp_path):
    server = dashboard(tmp_path)
    page.open(server.url)
    page.wait(lambda: "no run in" in page.text("main"))
    with live_run(tmp_path) as run:
        page.wait(lambda: page.texts("table.runs tbody th") == ["run"])
        assert "running" in page.text("table.runs")
        page.click("table.runs tbody a")
        page.wait(lambda: rows(page) == ["00000"])
        for step in range(3):
            run.stdin.write("\n")
            run.stdin.flush()
            page.wait(lambda step=step: page.text("table.trials tbody td:nth-child(3)") == str(step + 1))
            page.wait(lambda step=step: page.text(".big") == str(step))
    page.wait(
        lambda: "killed" in page.text(".title")
    )  # the session left no word, so this is told without any news in it
    assert page.no_errors()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """5,000 trials: accuracy grows with `lr`, which jumps about."""
    storage = tmp_path_factory.mktemp("crowd")
    configs = [{"lr": (i * 1009 % 5000) / 5000, "steps": 1, "fails": i % 50 == 7, "note": f"n{i}"} for i in range(5000)]
    server = Dashboard(make_run(storage, "crowd", configs))
    yield server
    server.end()


def test_5000_trials_can_be_sorted_filtered_and_scrolled(page, crowd):
    page.open(f"{crowd.url}#/run/{crowd.key('crowd')}")
    page.wait(lambda: "all 5000" in page.text(".chips"))
    assert len(rows(page)) < 100  # those in sight
    assert rows(page)[:2] == ["00000", "00001"]

    by_accuracy = [f"{i:05}" for i in sorted(range(5000), key=lambda i: -(i * 1009 % 5000))]
    button = "[...document.querySelectorAll('thead button')].find(each => each.innerText.startsWith(arguments[0]))"
    began = time.monotonic()
    page.js(f"{button}.click()", "accuracy")
    assert rows(page)[:9] == by_accuracy[:9]  # the best one first
    assert time.monotonic() - began < 2
    assert page.js(f"{button}.closest('th').getAttribute('aria-sort')", "accuracy") == "descending"
    page.js(f"{button}.click()", "accuracy")
    assert rows(page)[:9] == by_accuracy[::-1][:9]
    assert page.js("document.activeElement.innerText").startswith("accuracy")  # where the keyboard was
    page.js(f"{button}.click()", "note")
    assert rows(page)[:2] == [f"{i:05}" for i in sorted(range(5000), key=lambda i: f"n{i}")[:2]]

    page.type(".filter", "accuracy > 0.09 state=completed")
    wanted = [i for i in range(5000) if (i * 1009 % 5000) > 4500 and i % 50 != 7]
    assert page.text("[role=status].quiet") == f"{len(wanted)} of 5000"
    page.type(".filter", "n4999")
    assert rows(page) == ["04999"]
    page.type(".filter", "speed > 1")
    assert "There is no column speed" in page.text(".tools")
    assert page.js("document.querySelector('.filter').getAttribute('aria-invalid')") == "true"
    page.type(".filter", "")
    page.js("[...document.querySelectorAll('.chip')].find(each => each.innerText == 'failed 100').click()")
    assert page.text("[role=status].quiet") == "100 of 5000"
    page.js("document.querySelector('.chip').click()")

    page.js(f"{button}.click()", "trial")
    page.js("document.querySelector('.scroller').scrollTo(0, 1e9)")
    page.wait(lambda: rows(page)[-1] == "04999")
    assert len(rows(page)) < 100
    assert page.no_errors()


def test_a_trial_shows_its_config_curves_error_and_files_as_text(page, dashboard, tmp_path):
    name = "<script>document.title='owned'<"
    configs = [{"lr": 0.5, "steps": 5, "why": HOSTILE}, {"lr": 0.25, "fails": True, HOSTILE: 1}]
    run = make_run(tmp_path, name, configs)
    (run / "trials" / "00000").mkdir(parents=True, exist_ok=True)
    (run / "trials" / "00000" / f"{HOSTILE.replace('/', '')}.log").write_text(f"<b>bold</b> {HOSTILE}")
    server = dashboard(tmp_path)
    page.open(server.url)
    page.wait(lambda: page.texts("table.runs tbody th") == [name])
    page.click("table.runs tbody a")
    page.wait(lambda: rows(page) == ["00000", "00001"])
    assert page.text("h1") == name
    assert HOSTILE in page.text("table.trials tbody tr")
    assert any(HOSTILE in head for head in page.texts("thead button"))
    page.click("table.trials tbody a")
    page.wait(lambda: page.text("h1") == "Trial 00000")
    assert HOSTILE in page.text(".pairs")
    assert page.texts(".small b") == ["accuracy", HOSTILE]
    page.click(".files button")
    page.wait(lambda: page.text("pre") == f"<b>bold</b> {HOSTILE}")
    page.open(f"{server.url}#/run/{server.key(name)}/trial/00001")
    page.wait(lambda: "<script>document.title='owned'</script>" in page.text("pre.error"))
    assert "Traceback" in page.text("pre.error")
    page.open(f"{server.url}#/run/{server.key(name)}/settings")
    page.wait(lambda: "uniform(0" in page.text("main"))
    assert page.js("document.querySelectorAll('main img, main script, main b b').length") == 0
    assert page.js("document.title") != "owned"
    assert page.no_errors()


def test_the_page_comes_back_when_the_server_does(page, dashboard, tmp_path):
    make_run(tmp_path, "first", [{"lr": 0.5}])
    server = dashboard(tmp_path)
    page.open(server.url)
    page.wait(lambda: page.text("#link") == "live")
    page.wait(lambda: page.texts("table.runs tbody th") == ["first"])
    server.end()
    page.wait(lambda: "not connected" in page.text("#link"))
    make_run(tmp_path, "second", [{"lr": 0.5}])
    dashboard(tmp_path, "--port", str(server.port))
    page.wait(lambda: page.text("#link") == "live")
    page.wait(lambda: sorted(page.texts("table.runs tbody th")) == ["first", "second"])


def test_a_run_that_is_deleted_while_it_is_looked_at_is_a_message(page, dashboard, tmp_path):
    run = make_run(tmp_path, "run", [{"lr": 0.5}])
    server = dashboard(tmp_path)
    page.open(f"{server.url}#/run/{server.key('run')}")
    page.wait(lambda: rows(page) == ["00000"])
    shutil.rmtree(run)
    page.wait(lambda: "moved or deleted" in page.text("main"))
    make_run(tmp_path, "run", [{"lr": 0.1}, {"lr": 0.2}])
    page.wait(lambda: rows(page) == ["00000", "00001"])
    assert "finished" in page.text(".title")


def test_the_run_is_stopped_from_the_page(page, dashboard, tmp_path):
    with live_run(tmp_path) as run:
        server = dashboard(tmp_path / "run", "--control")
        page.open(server.url)
        page.wait(lambda: page.texts("table.runs tbody th") == ["run"])
        assert "token" not in page.driver.current_url
        page.click("table.runs tbody a")
        page.wait(lambda: page.text("button.stop"))
        page.js("window.confirm = () => true")
        page.click("button.stop")
        page.wait(lambda: f"Process {run.pid} was asked to stop" in page.text("main"))
        run.stdin.write("\n")
        run.stdin.flush()
        page.wait(lambda: "interrupted" in page.text(".title"))
        assert not page.text("button.stop")


def test_a_trial_is_stopped_from_its_page_and_the_run_goes_on(page, dashboard, tmp_path):
    with live_run(tmp_path) as run:
        server = dashboard(tmp_path / "run", "--control")
        page.open(server.url)
        page.wait(lambda: page.texts("table.runs tbody th") == ["run"])
        page.js("(location.hash = arguments[0])", f"#/run/{server.key('run')}/trial/00000")
        page.wait(lambda: page.text("button.stop") == "Stop the trial")
        page.js("window.confirm = () => true")
        page.click("button.stop")
        page.wait(lambda: "was asked to stop" in page.text("main"))
        while "stopped" not in page.text(".title"):
            run.stdin.write("\n")
            run.stdin.flush()
            assert run.stdout.readline() == "step\n"
        assert "stopped on request" in page.text("main")
        assert not page.text("button.stop")
        assert run.poll() is None


PLOTLY = """
window.Plotly = {
  react: async (element, data) => { element.data = data; element.textContent = JSON.stringify(data); },
  purge: () => {},
};
"""
FIGURE = """
import microtune as mt
class Figure:
    def __init__(self, grid):
        self.grid = grid
    def to_json(self, validate=True):
        return '{"data": ["%d trials"], "layout": {}}' % len(self.grid)
def unfit(grid):
    raise mt.OptionError("<b>it is not for this run</b>")
"""


def test_figures_are_drawn_and_one_that_does_not_fit_says_why(page, dashboard, tmp_path):
    """With a stand-in for plotly, which is no dependency of ours: what it draws is looked at with the report's figures."""
    there = tmp_path / "installed"
    fake_dist(
        there,
        "fake-figures",
        "1.0",
        {"microtune.figures": {"count": "fake_figures:Figure", "unfit": "fake_figures:unfit"}},
    )
    (there / "fake_figures.py").write_text(FIGURE)
    (there / "plotly" / "package_data").mkdir(parents=True)
    (there / "plotly" / "__init__.py").touch()
    (there / "plotly" / "package_data" / "plotly.min.js").write_text(PLOTLY)
    make_run(tmp_path, "run", [{"lr": 0.5}] * 3)
    server = dashboard(tmp_path / "run", path=there)
    page.open(f"{server.url}#/run/{server.key('run')}/figures")
    page.wait(lambda: page.text("[data-figure=count] .plot") == '["3 trials"]')
    page.wait(lambda: "<b>it is not for this run</b>" in page.text("[data-figure=unfit]"))
    assert page.no_errors()

"""The report: one file, looked at in a real Chromium."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

import microtune as mt
from microtune.cli import main
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher, fake_dist
from microtune_view_report.page import embedded, page

Make = Callable[..., Any]
SECONDS = 60  # for a page to be drawn; it takes about two
EVIL = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1366,768"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "these tests look at the report in Chromium: apt-get install chromium chromium-driver"
    assert driver, "these tests drive Chromium: apt-get install chromium-driver"
    options = Options()
    options.binary_location = chromium
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def opened(browser: webdriver.Chrome, path: Path) -> list[dict[str, Any]]:
    """What went wrong on the page, once all its figures are drawn."""
    browser.get_log("browser")
    browser.get(path.as_uri())
    WebDriverWait(browser, SECONDS).until(lambda b: b.execute_script("return document.body.dataset.figures") == "drawn")
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def train(config: dict[str, Any]) -> None:
    for step in range(1, 5):
        mt.report(loss=config["lr"] / step, **{EVIL: step})
        if step == 2 and mt.get_context().number == 3:
            raise ValueError(EVIL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    space = {
        "lr": mt.loguniform(1e-4, 1), EVIL: mt.choice([EVIL, "b"]), "sizes": [mt.randint(1, 9), mt.randint(1, 9)],
        "opt": mt.choice([{"kind": EVIL, "m": mt.uniform(0, 1)}, {"kind": "adam"}]),
    }  # fmt: skip
    mt.Tuner(
        train, param_space=space, metric="loss", mode="min", num_samples=60, seed=1, searcher=FakeSearcher(),
        scheduler=FakeScheduler(), executor=FakeExecutor(workers=3), loggers=[], storage_path=path, name="a <b>run",
    ).fit()  # fmt: skip
    return path / "a <b>run"


@pytest.fixture(scope="module")
def report(run: Path) -> Path:
    assert main(["report", str(run)]) == 0
    return run / "report.html"


def test_every_figure_is_drawn_without_an_error(browser: webdriver.Chrome, report: Path) -> None:
    assert opened(browser, report) == []
    titles = browser.execute_script("return [...document.querySelectorAll('section.shown h2')].map(e => e.textContent)")
    assert titles == [
        "Progress", "Learning curves", "Which parameters matter", "Parameter by parameter", "All parameters at once",
        "Who ran when",
    ]  # fmt: skip
    assert browser.execute_script("return document.querySelectorAll('.figure .main-svg').length") >= len(titles)
    assert browser.execute_script("return document.querySelectorAll('.broken').length") == 0
    # In the drawing itself: 59 of the 60 trials came to their end.
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.figure')][0].querySelectorAll('.scatterlayer .trace:first-child .point').length"
    )
    assert drawn == 59


def test_hostile_names_are_shown_as_text(browser: webdriver.Chrome, report: Path) -> None:
    opened(browser, report)
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.images.length") == 0
    assert browser.execute_script("return document.querySelector('h1').textContent") == "a <b>run"
    shown = browser.execute_script("return document.querySelector('#failures').nextElementSibling.textContent")
    assert f"ValueError: {EVIL}" in shown


def test_json_in_the_page_cannot_end_its_element_and_is_the_same() -> None:
    element = embedded("x", json.dumps([EVIL, "<!--", "&lt;"]))
    content = element.removeprefix("<script type='application/json' id='x'>").removesuffix("</script>")
    assert "<" not in content
    assert json.loads(content) == [EVIL, "<!--", "&lt;"]


def test_the_page_asks_the_network_for_nothing(browser: webdriver.Chrome, report: Path) -> None:
    opened(browser, report)
    assert browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    browser.execute_script("const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)")
    WebDriverWait(browser, SECONDS).until(
        lambda b: any("Content Security Policy" in entry["message"] for entry in b.get_log("browser"))
    )
    assert report.read_bytes().count(b"plotly.js v") <= 2  # one copy; it names itself once or twice


def test_the_figures_follow_light_and_dark(browser: webdriver.Chrome, report: Path) -> None:
    found = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        opened(browser, report)
        found[scheme] = browser.execute_script(
            "return [getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.figure .xtick text')).fill]"
        )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found["light"][0] == "rgb(255, 255, 255)"
    assert found["dark"][0] != found["light"][0]
    assert found["dark"][1] != found["light"][1]


def test_on_paper_the_figures_are_as_wide_as_the_page(browser: webdriver.Chrome, report: Path) -> None:
    opened(browser, report)
    browser.execute_script(
        "window.addEventListener('beforeprint', () => {"
        " window.widths = [...document.querySelectorAll('.figure .main-svg')].map(e => e.getBoundingClientRect().width) })"
    )
    assert browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    assert max(browser.execute_script("return window.widths")) <= 700


def test_the_config_of_the_best_is_python_that_gives_it(browser: webdriver.Chrome, report: Path, run: Path) -> None:
    opened(browser, report)
    code = browser.execute_script("return document.querySelector('.best pre').textContent")
    best = mt.ResultGrid(run).get_best_result()
    assert eval(code) == best.config


def test_the_call_in_the_report_is_python_that_has_what_the_run_was_given(
    browser: webdriver.Chrome, report: Path, run: Path
) -> None:
    opened(browser, report)
    blocks = browser.execute_script(
        "return [...document.querySelectorAll('#reproduce ~ .code pre')].map(e => e.textContent)"
    )
    call = next(block for block in blocks if "mt.Tuner(" in block)
    given: dict[str, Any] = {}

    class Recorded:
        def __init__(self, trainable: Any, **arguments: Any) -> None:
            given.update(arguments, trainable=trainable)

        def fit(self) -> None:
            pass

    kept = mt.Tuner
    try:
        mt.Tuner = Recorded  # type: ignore[misc,assignment]
        exec(call, {"train": train})
    finally:
        mt.Tuner = kept  # type: ignore[misc]
    settings = mt.ResultGrid(run).settings
    assert mt.Space(given["param_space"]).to_json() == settings["param_space"]
    assert (given["metric"], given["mode"], given["num_samples"], given["seed"]) == ("loss", "min", 60, 1)
    assert "searcher" not in given  # it was an object
    assert "# searcher: an object" in call


def test_figures_of_others_come_after_ours_and_a_broken_one_is_a_note(
    browser: webdriver.Chrome, run_of_five: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.py").write_text(
        "import plotly.graph_objects as go\n"
        "def good(grid):\n    '''A straight line.'''\n    return go.Figure(go.Scatter(x=[1, 2], y=[1, 2]))\n"
        "def broken(grid):\n    raise ValueError('<b>no</b>')\n"
    )
    entry_points = {"microtune.figures": {"good": "theirs:good", "broken": "theirs:broken", "gone": "theirs:gone"}}
    fake_dist(tmp_path, "their-figures", entry_points=entry_points)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "report.html"
    file.write_text(page(run_of_five().grid()), encoding="utf-8")
    assert opened(browser, file) == []
    titles = browser.execute_script("return [...document.querySelectorAll('section.shown h2')].map(e => e.textContent)")
    assert titles[-3:] == ["broken", "gone", "good"]
    notes = browser.execute_script("return [...document.querySelectorAll('p.broken')].map(e => e.textContent)")
    assert notes[0] == "This figure failed. ValueError: <b>no</b>"
    assert "their-figures" in notes[1]


def test_alike_failures_are_one_group(run_of_five: Make) -> None:
    run = run_of_five()
    for number in range(5, 9):
        trial = run.start(number, {"lr": 0.1})
        traceback = f"Traceback:\n  line {number}\nValueError: x"
        run.end(trial, "FAILED", "ValueError: x", failure={"kind": "error", "message": "x", "traceback": traceback})
    html = page(run.grid())
    assert "<b>5×</b> ValueError: x <span class='note'>error, trial 3, 5, 6, 7, 8</span>" in html


@pytest.mark.parametrize("case", ["nothing", "one failed", "one running", "nan"])
def test_there_is_a_report_on_every_run(browser: webdriver.Chrome, written: Make, tmp_path: Path, case: str) -> None:
    run = written()
    if case != "nothing":
        trial = run.start(0, {"lr": 0.1, "opt": {"kind": "adam"}, "width": 16})
        if case == "one failed":
            run.end(trial, "FAILED", "lost", failure={"kind": "lost", "message": "no worker", "traceback": None})
        else:
            run.report(trial, 1, loss=float("nan") if case == "nan" else 1.0)
    file = tmp_path / "report.html"
    file.write_text(page(run.grid()), encoding="utf-8")
    assert opened(browser, file) == []
    assert "have nothing to say of this run" in browser.page_source


def test_an_imported_run_says_where_it_is_from_and_not_how_to_go_on(browser: webdriver.Chrome, tmp_path: Path) -> None:
    past = [
        mt.PastTrial({"x": x, "kind": EVIL}, results=[mt.Result({"loss": x / i}, i, float(i), 0.0) for i in (1, 2)])
        for x in (0.1, 0.2, 0.3)
    ]
    grid = mt.record_run(tmp_path / "past", metric="loss", mode="min", trials=past, source="<i>another</i> tuner")
    file = tmp_path / "report.html"
    file.write_text(page(grid), encoding="utf-8")
    assert opened(browser, file) == []
    said = browser.execute_script("return document.querySelector('#reproduce').nextElementSibling.textContent")
    assert said == "<i>another</i> tuner"
    assert "microtune resume" not in browser.execute_script("return document.body.innerText")
    titles = browser.execute_script("return [...document.querySelectorAll('section.shown h2')].map(e => e.textContent)")
    assert "Parameter by parameter" in titles


def test_a_report_on_ten_thousand_trials_is_ready_in_seconds_and_of_a_reasonable_size(written: Make) -> None:
    run = written()
    for number in range(10_000):
        lr = (number * 0.618) % 1 * 0.9 + 0.01
        trial = run.start(number, {"lr": lr, "opt": {"kind": "adam"}, "width": 16})
        for iteration in range(1, 11):
            run.report(trial, iteration, loss=lr / iteration)
        run.end(trial)
    began = time.monotonic()
    html = page(run.grid())
    assert time.monotonic() - began < 60  # 4 on an idle core
    assert len(html) < 20e6
    assert "4,000 of 10,000 trials are drawn" in html
    assert "The other 9,900 are in the journal" in html


def test_the_command_says_where_it_wrote_and_where_it_could_not(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run), "-o", str(tmp_path / "x.html")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'x.html'}\n"
    assert [file.name for file in tmp_path.iterdir()] == ["x.html"]
    assert main(["report", str(run), "-o", str(tmp_path / "none" / "x.html")]) == 1
    assert "cannot be written: No such file or directory; say where to with -o FILE" in capsys.readouterr().err
    assert main(["report", str(run), "-o", str(tmp_path / "x.html"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(tmp_path / "x.html")}


def test_the_grid_of_a_run_plots(run: Path) -> None:
    grid = mt.ResultGrid(run)
    assert isinstance(grid.plot_history(x="time"), go.Figure)
    assert isinstance(grid.plot_parallel_coordinates(), go.Figure)

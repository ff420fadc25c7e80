"""Only the page itself gets an answer; asked over raw HTTP, as an attacker would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Dashboard, make_run

STOP_TRIAL = "/api/runs/{key}/trials/00000/stop"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    storage = tmp_path_factory.mktemp("runs")
    make_run(storage, "run", [{"lr": 0.5}])
    (storage / "run" / "trials" / "00000").mkdir(parents=True, exist_ok=True)
    (storage / "run" / "trials" / "00000" / "out.log").write_text("one line")
    (storage / "secret.txt").write_text("secret")
    (storage / "run" / "trials" / "00000" / "link").symlink_to(storage / "secret.txt")
    dashboard = Dashboard(storage / "run", "--control")
    yield dashboard
    dashboard.end()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}"]
)
def test_a_request_under_another_name_is_refused(server, host):
    for path in ("/", "/api/runs", "/api/stream", "/static/main.js"):
        status, body, _ = server.ask(path, host=host.format(port=server.port))
        assert (status, "run" in body) == (403, False)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_its_own_names_are_answered(server, host):
    assert server.ask("/api/runs", host=host.format(port=server.port))[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/stream"), ("POST", "/api/runs/{key}/stop"), ("POST", STOP_TRIAL)]
)
def test_a_request_from_another_site_is_refused(server, method, path, origin):
    token = server.url.partition("token=")[2]
    headers = {"Origin": origin.format(port=server.port), "X_Token": token}
    assert server.ask(path.format(key=server.key("run")), method, **headers)[0] == 403


@pytest.mark.parametrize(
    ("path", "got_so_far"),
    [("/api/runs/{key}/stop", "nobody drives the run"), (STOP_TRIAL, "is over: it is COMPLETED")],
)
def test_stopping_needs_an_origin_and_the_token(server, path, got_so_far):
    path, own = path.format(key=server.key("run")), f"http://127.0.0.1:{server.port}"
    token = server.url.partition("token=")[2]
    assert len(token) >= 32
    assert server.ask(path, "POST", X_Token=token)[0] == 403
    assert server.ask(path, "POST", Origin=own)[0] == 403
    assert server.ask(path, "POST", Origin=own, X_Token=token[:-1])[0] == 403
    assert server.ask(path, "POST", Origin=own, X_Token=f"{token}é")[0] == 403
    assert server.ask(path, "GET", Origin=own, X_Token=token)[0] == 405
    status, body, _ = server.ask(path, "POST", Origin=own, X_Token=token)
    assert status == 409  # it got so far, and the run is over
    assert got_so_far in body


def test_without_control_there_is_no_token_that_stops(dashboard, tmp_path):
    make_run(tmp_path, "run", [{"lr": 0.5}])
    server = dashboard(tmp_path)
    path, own = f"/api/runs/{server.key('run')}/stop", f"http://127.0.0.1:{server.port}"
    assert "token" not in server.url
    for token in ("", "None", "null"):
        assert server.ask(path, "POST", Origin=own, X_Token=token)[0] == 403


def test_nothing_may_run_in_the_page_but_its_own_scripts(server):
    for path in ("/", "/api/runs", "/static/main.js", "/nowhere"):
        _, _, headers = server.ask(path)
        policy = dict(rule.strip().partition(" ")[::2] for rule in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert "unsafe-inline" not in policy["script-src"]
        assert "http" not in policy["script-src"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "set-cookie" not in headers


OUTSIDE = [
    "../../../secret.txt", "../../journal.db", "/etc/passwd", "link", "..", ".", "", "a/../../../../secret.txt", "out.log/..",
    "\0", "out.log\0.txt",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_outside_a_trials_folder_is_served(server, path):
    from urllib.parse import quote

    for spelled in (quote(path), quote(path, safe="").replace(".", "%2e")):
        status, body, _ = server.ask(f"/api/runs/{server.key('run')}/trials/00000/file?path={spelled}")
        assert status == 409
        assert "is not in the folder of the trial" in body or "is not a file" in body


def test_a_file_of_the_trial_is(server):
    answer = server.json(f"/api/runs/{server.key('run')}/trials/00000/file?path=out.log")
    assert answer == {"path": "out.log", "size": 8, "text": "one line", "cut": False}
    files = server.json(f"/api/runs/{server.key('run')}/trials/00000")["files"]
    assert [file["path"] for file in files] == ["out.log"]  # and no link


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py", "/static/%2e%2e/application.py", "/static/..%2fapplication.py", "/static//etc/passwd",
        "/../application.py", "/api/runs/../../etc/passwd", "/api/runs/{key}/trials/..%2f..%2f/file?path=journal.db",
        "/api/runs/{key}/trials/../file?path=journal.db",
    ],
)  # fmt: skip
def test_nor_any_by_the_path_of_a_request(server, path):
    assert server.ask(path.format(key=server.key("run")))[0] == 404


def test_numbers_that_json_lacks_are_spelled(dashboard, tmp_path: Path):
    import microtune as mt

    def train(config):
        mt.report(accuracy=float("nan"), low=float("-inf"))

    make_run(tmp_path, "run", [{"lr": 0.5}], train)
    server = dashboard(tmp_path)
    _, body, _ = server.ask(f"/api/runs/{server.key('run')}/trials")
    answer = json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert answer["rows"][0]["metrics"] == {"accuracy": "NaN", "low": "-Infinity"}

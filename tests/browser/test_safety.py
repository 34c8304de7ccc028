"""Requests of other sites, under other names, of strangers, and to other folders are refused."""

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.errors import ParameterError
from lab.cli_page import access, free_port
from tests.browser.fake_workbench import FakeWorkbench
from ui.batches import PageError
from ui.page import launch
from ui.safety import Access, Folders, folders

Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Answer]
LOGIN = "Basic " + base64.b64encode("Ärzte:pass:wörd".encode()).decode()


def asker(address: str) -> Ask:
    """Sends requests as they are given, as no browser would."""
    where = urlsplit(address)

    def ask(path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json", **named})
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    return ask


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkbench:
    return FakeWorkbench(tmp_path_factory.mktemp("safe"))


@pytest.fixture(scope="module")
def page(bench: FakeWorkbench) -> Iterator[tuple[str, Ask]]:
    port = free_port("127.0.0.1", 0)
    served, address = launch(bench, port=port, open_browser=False, block=False)
    yield address.rstrip("/"), asker(address)
    served.close()


@pytest.fixture(scope="module")
def asking(bench: FakeWorkbench) -> Iterator[Ask]:
    who, port = Access(user="Ärzte", password="pass:wörd"), free_port("127.0.0.1", 0)
    served, address = launch(bench, who, port, open_browser=False, block=False)
    yield asker(address)
    served.close()


def rename(ask: Ask, bench: FakeWorkbench, session: str, name: str, **headers: str) -> int:
    """A session's new name by the request that the page itself sends; the status."""
    config = json.loads(ask("/config", Sec_Fetch_Site="same-origin")[2])
    view = next(
        one for one in config["components"] if "rename" in (one["props"].get("server_fns") or [])
    )
    body = {
        "data": {"session": session, "name": name},
        "component_id": view["id"],
        "session_hash": "test",
        "fn_name": "rename",
    }
    return ask("/gradio_api/component_server", "POST", body, **headers)[0]


def test_other_sites_change_and_read_nothing(page: tuple[str, Ask], bench: FakeWorkbench) -> None:
    address, ask = page
    session = bench.create("What?", "1")
    assert rename(ask, bench, session, "mine", Origin=address, Sec_Fetch_Site="same-origin") == 200
    assert bench.runs[session].name == "mine"
    host = urlsplit(address).netloc
    strangers: list[dict[str, str]] = [
        {"Origin": "http://evil.invalid"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": f"http://{host}.evil.invalid"},
        {"Host": "evil.invalid"},
        {"Host": f"evil.invalid:{urlsplit(address).port}", "Origin": "http://evil.invalid"},
    ]
    for headers in strangers:
        assert rename(ask, bench, session, "theirs", **headers) in (403, 421), headers
        status, _, body = ask("/lab-import?name=x.json", "POST", [1], **headers)
        assert status in (403, 421), headers
        for path in ("/config", "/gradio_api/info", "/lab-exports/x.json"):
            status, _, body = ask(path, **headers)
            assert status in (403, 421), (path, headers)
            assert b"component" not in body
    assert bench.runs[session].name == "mine"
    assert not (bench.home / "imports").exists()
    # A link to the page is no attack, nor is a program without a browser.
    assert ask("/?session=1", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    assert ask("/lab-exports/x", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 403
    assert rename(ask, bench, session, "program") == 200


def test_the_page_is_framed_nowhere_and_loads_nothing_from_elsewhere(
    page: tuple[str, Ask],
) -> None:
    _, ask = page
    status, headers, body = ask("/")
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert b'rel="manifest" href="/manifest.json"' in body
    found = json.loads(ask("/manifest.json")[2])
    assert found["display"] == "standalone"
    for one in found["icons"]:
        status, headers, image = ask(one["src"])
        assert (status, headers["content-type"]) == (200, "image/png")
        assert f"{int.from_bytes(image[16:20])}x{int.from_bytes(image[20:24])}" == one["sizes"]
    status, headers, _ = ask("/lab-worker.js")
    assert (status, headers["service-worker-allowed"]) == (200, "/")


def test_files_of_the_machine_are_not_served(page: tuple[str, Ask], bench: FakeWorkbench) -> None:
    _, ask = page
    secret = bench.home / "secret.txt"
    secret.write_text("only mine")
    for path in (
        f"/gradio_api/file={secret}",
        "/gradio_api/file=/etc/hostname",
        "/lab-exports/../secret.txt",
        "/lab-exports/%2e%2e/secret.txt",
        "/lab-web/../../pyproject.toml",
        "/gradio_api/proxy=http://127.0.0.1/",
    ):
        status, _, body = ask(path)
        assert status in (400, 401, 403, 404), path
        assert b"only mine" not in body, path


def test_nobody_gets_in_without_the_password(asking: Ask) -> None:
    for path in ("/", "/config", "/lab-exports/x", "/gradio_api/info", "/lab-import"):
        status, headers, _ = asking(path)
        assert (status, headers["www-authenticate"][:5]) == (401, "Basic"), path
    wrong = "Basic " + base64.b64encode(b"a:b").decode()
    for bad in ("", "Basic", "Basic ?", "Bearer x", wrong):
        assert asking("/", Authorization=bad)[0] == 401
    assert asking("/", Authorization=LOGIN)[0] == 200
    # Behind a proxy the page has another name; the password protects it from others' names.
    assert asking("/", Authorization=LOGIN, Host="lab.example")[0] == 200
    theirs = {"Authorization": LOGIN, "Origin": "http://evil.invalid"}
    assert asking("/gradio_api/queue/join", "POST", {}, **theirs)[0] == 403


@pytest.mark.parametrize(
    ("served", "name", "answered"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "lab.localhost", True),
        ("127.0.0.1", "::1", True),
        ("127.0.0.1", "evil.invalid", False),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "evil.invalid", False),
        ("lab.lan", "lab.lan", True),
    ],
)
def test_names_that_are_answered(served: str, name: str, answered: bool) -> None:
    assert Access(served).serves(name) is answered


def test_strangers_are_let_in_only_on_demand(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="others could use the page"):
        access("0.0.0.0", None, None, False)
    assert not access("0.0.0.0", None, None, True).asks
    assert access("::1", None, None, False).local
    login = tmp_path / "login"
    login.write_text("me:a:b\nmore\n")
    assert access("0.0.0.0", None, login, False).password == "a:b"
    for bad in ("me", ":x", "me:", ""):
        with pytest.raises(ParameterError, match="USER:PASSWORD"):
            access("127.0.0.1", bad, None, False)
    with pytest.raises(ParameterError, match="cannot be read"):
        access("127.0.0.1", None, tmp_path / "none", False)


def test_paths_lead_where_they_may(tmp_path: Path) -> None:
    assert folders(Access(), tmp_path) == Folders()  # one's own machine, one's own files
    assert folders(Access(user="me", password="x"), tmp_path).roots is not None
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "data.jsonl").write_text("{}")
    (tmp_path / "other.jsonl").write_text("{}")
    (mine / "link.jsonl").symlink_to(tmp_path / "other.jsonl")
    (mine / ".ssh").mkdir()
    reach = Folders((mine, Path.cwd()))
    for good in (str(mine / "data.jsonl"), str(mine), "samples", "org/model", "tests/data"):
        assert reach.check(good) == good
    for bad in (
        str(tmp_path / "other.jsonl"),
        str(tmp_path / "missing.jsonl"),
        f"{mine}/../other.jsonl",
        str(mine / "link.jsonl"),
        str(mine / ".ssh" / "id"),
        "/etc/passwd",
        "../../etc/passwd",
    ):
        with pytest.raises(PageError, match="cannot be read from this page"):
            reach.check(bad)

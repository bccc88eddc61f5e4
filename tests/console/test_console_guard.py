"""Who may ask the console: over plain HTTP, as another program or another site's page would."""

import http.client
import re
import socket
from urllib.parse import urlsplit

import pytest

from nc.console.guard import AGAIN_SCRIPT, Guard
from nc.history.export.page_files import inline_source
from nc.secrets import SystemSecrets
from tests.support.chromium import Chromium, Tab
from tests.support.live_console import SHOWS_ITS_LOG, LiveConsole, arrive, enter

ALL_HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")


class Caller:
    """Speaks HTTP with a console."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.once = self.parts.path
        self.cookie = ""

    @property
    def host(self) -> str:
        return self.parts.netloc

    def ask(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and text of an answer; `_` in a header's name is `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.parts.port or 0, timeout=60)
        given = {"Host": self.host} | {k.replace("_", "-"): v for k, v in headers.items()}
        if self.cookie:
            given.setdefault("Cookie", self.cookie)
        connection.request(method, path, body or None, given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text

    def act(self, **headers: str) -> int:
        body = '{"token": "00000000"}'
        return self.ask("/api/actions/revoke-token", "POST", body, **headers)[0]


@pytest.fixture
def caller(live: LiveConsole) -> Caller:
    return Caller(live.start_console())


@pytest.fixture
def inside(caller: Caller) -> Caller:
    """One that has the cookie."""
    _, headers, _ = caller.ask(caller.once)
    caller.cookie = headers["set-cookie"].partition(";")[0]
    return caller


def test_it_listens_on_one_address_of_loopback(caller: Caller) -> None:
    """No other address of the machine has the port open, not even another one of loopback."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", caller.parts.port), timeout=60)


def test_without_the_cookie_nothing_is_answered(caller: Caller) -> None:
    """Neither the page nor data nor an action; a wrong cookie is none."""
    for path in ("/", "/page/console.js", "/api/me", "/api/live", "/api/status"):
        assert caller.ask(path)[0] == 401, path
    assert caller.act(X_Nc_Console="1", Origin=f"http://{caller.host}") == 401
    caller.cookie = f"nc-console-{caller.parts.port}=" + "0" * 64
    assert caller.ask("/")[0] == 401


def test_the_link_is_good_for_one_time(caller: Caller) -> None:
    """A wrong one uses nothing up; the cookie is for no script and no other site."""
    assert caller.ask("/open/" + "0" * 64)[0] == 403
    assert caller.ask(caller.once, "HEAD")[0] == 403
    status, headers, text = caller.ask(caller.once)
    assert status == 200
    attributes = {part.strip().lower() for part in headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert caller.once.rpartition("/")[2] not in text
    again, headers, text = caller.ask(caller.once)
    assert (again, headers["set-cookie"]) == (403, None)
    assert "ncadm console" in text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:80", ""])
def test_another_name_of_this_machine_is_refused(inside: Caller, host: str) -> None:
    """A page whose name was made to point at loopback (DNS rebinding) gets nothing."""
    assert inside.ask("/", Host=host or " ")[0] in {400, 421}
    assert inside.host in inside.ask("/", Host="localhost:1")[2]  # of a port that is forwarded
    assert inside.ask("/api/me", Host=inside.host)[0] == 200


def test_another_sites_page_cannot_act(inside: Caller) -> None:
    """An action needs the header and the console's own origin: a form and a script have not."""
    own = f"http://{inside.host}"
    assert inside.act() == 403
    assert inside.act(X_Nc_Console="1") == 403
    assert inside.act(Origin=own) == 403
    assert inside.act(X_Nc_Console="1", Origin="http://127.0.0.1:9") == 403
    assert inside.act(X_Nc_Console="1", Origin=own, Sec_Fetch_Site="same-site") == 403
    assert inside.act(X_Nc_Console="1", Origin=own) == 404  # the server knows no such token
    status, headers, _ = inside.ask("/api/actions/revoke-token", "OPTIONS")
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_every_answer_has_the_headers(inside: Caller) -> None:
    """Refusals and files, too; and scripts are files of the console, and one that is named."""
    for path in ("/", "/api/me", "/nothing", "/page/colours.css", inside.once):
        _, headers, _ = inside.ask(path)
        assert all(headers[name] for name in ALL_HEADERS), path
        policy = headers["content-security-policy"]
        scripts = f"script-src 'self' {inline_source(AGAIN_SCRIPT)};"
        assert policy.startswith(f"default-src 'none'; {scripts} style-src 'self';")
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"


def test_no_file_outside_the_page_is_given(inside: Caller) -> None:
    """Whatever a path is made of."""
    for name in ("..%2fapp.py", "app.py", "page.html", "%2e%2e/guard.py", "views.html", "x.js", ""):
        assert inside.ask(f"/page/{name}")[0] == 404, name


def test_what_the_page_sends_is_checked(inside: Caller) -> None:
    """The sentence says which field is wrong."""
    own = {"X_Nc_Console": "1", "Origin": f"http://{inside.host}"}
    for body, sentence in (
        ("{}", "lifetime_s: Field required"),
        ('{"lifetime_s": 0}', "lifetime_s: Input should be greater than or equal to 1"),
        ('{"lifetime_s": 60, "x": 1}', "x: Extra inputs are not permitted"),
        ("{", "the request: Invalid JSON"),
        ('{"label": "' + "x" * 70_000 + '"}', "this is too long"),
    ):
        status, _, text = inside.ask("/api/actions/issue-token", "POST", body, **own)
        assert (status, sentence in text) == (422, True), text
    status, _, text = inside.ask("/api/why?node=x&seq=-1")
    assert (status, text) == (422, '{"error":"seq: a number is expected"}')


def test_two_consoles_have_nothing_in_common() -> None:
    """Each start has a link and a cookie of its own."""
    urls = {Guard(None, 1, SystemSecrets()).url for _ in range(3)}  # type: ignore[arg-type]
    assert len(urls) == 3
    assert all(re.fullmatch(r"http://127\.0\.0\.1:1/open/[0-9a-f]{64}", url) for url in urls)


def test_a_page_that_lacks_a_file_is_loaded_anew(live: LiveConsole, browser: Chromium) -> None:
    """As after the browser gave a request up, since the network of its machine changed."""
    with Tab(browser) as opening:
        opening.block("*/page/model.js")
        opening.visit(live.start_console())
        arrive(opening, "location.pathname === '/' && document.readyState === 'complete'")
        opening.block()
        arrive(opening, SHOWS_ITS_LOG)


def test_nothing_secret_is_in_the_page(live: LiveConsole, tab: Tab) -> None:
    """After the link was used, no URL, no script and no text has it or the cookie."""
    url = live.start_console()
    enter(tab, url)
    once = url.rpartition("/")[2]
    told = tab.run("[location.href, document.cookie, document.documentElement.outerHTML]")
    assert told[0] == f"http://{urlsplit(url).netloc}/"
    assert told[1] == ""
    assert once not in told[2]
    asked = [address for address in tab.requests() if once in address]
    assert asked == [url]

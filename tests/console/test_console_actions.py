"""Each action of an administrator, through its dialog, and what the server has afterwards."""

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificate
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from nc.client.errors import NotFound
from nc.client.types import BootstrapToken, IssuedToken, Node, Role
from nc.console import answers
from nc.pki.requests import certificate_request
from tests.support.chromium import Chromium, Tab
from tests.support.live_console import LiveConsole, wait_for


@pytest.fixture
def node(live: LiveConsole, tab: Tab, token: IssuedToken) -> Node:
    """A node that has just joined, and is chosen in the page."""
    made = live.run(live.client.nodes.get(live.join(token).token))
    wait_for(tab, f"rows('nodes').some((row) => cells(row)[0] === {made.name!r})")
    tab.run(f"rows('nodes').find((row) => cells(row)[0] === {made.name!r}).click()")
    return made


FIELDS = "#dialog :is(input, textarea, select)"


def confirm(tab: Tab, *fields: tuple[int, str]) -> str:
    """Fill in fields of the dialog by their places, and confirm; gives what it said."""
    for place, value in fields:
        tab.run(
            f"""(() => {{
              const field = document.querySelectorAll("{FIELDS}")[{place}];
              if (field.type === "checkbox") field.checked = {value!r} === "yes";
              else field.value = {value!r};
              field.dispatchEvent(new Event("input"));
            }})()"""
        )
    meaning = tab.run("document.getElementById('dialog').textContent")
    tab.run("document.querySelector('#dialog form > .buttons > :last-child').click()")
    return str(meaning)


def choose(tab: Tab, text: str) -> None:
    tab.run(
        f"[...document.querySelectorAll('#node-actions button')]"
        f".find((each) => each.textContent === {text!r}).click()"
    )


def closed(tab: Tab) -> None:
    wait_for(tab, "!document.getElementById('dialog').open")


@pytest.mark.usefixtures("node")
def test_a_dialog_that_follows_at_once_keeps_its_fields(tab: Tab) -> None:
    """The page learns a moment later that the one before was closed, and empties that one alone."""
    choose(tab, "Rename")
    tab.run("document.querySelector('#dialog form > .buttons > :first-child').click()"
            "; [...document.querySelectorAll('#node-actions button')]"
            ".find((each) => each.textContent === 'Rename').click()")  # fmt: skip
    tab.run("new Promise((done) => setTimeout(done, 100))")
    assert tab.run(f"document.querySelectorAll({FIELDS!r}).length") == 1
    tab.run("document.querySelector('#dialog form > .buttons > :first-child').click()")
    closed(tab)


def test_rename(live: LiveConsole, tab: Tab, node: Node) -> None:
    """The new name is there at once; one that cannot be is refused with the server's sentence."""
    choose(tab, "Rename")
    confirm(tab, (0, "Not a name"))
    wait_for(tab, "!document.querySelector('#dialog .problem').hidden")
    told = tab.run("document.querySelector('#dialog .problem').textContent")
    assert "name" in told
    assert "keeps its id" in confirm(tab, (0, "renamed"))
    closed(tab)
    assert live.run(live.client.nodes.get(node.id)).name == "renamed"
    wait_for(tab, "text('node-title') === 'renamed'")


def test_labels(live: LiveConsole, tab: Tab, node: Node) -> None:
    """Lines are set; a line that is deleted removes its label."""
    live.run(live.client.nodes.update(node.id, set_labels={"old": "1", "kept": "2"}))
    wait_for(tab, "document.querySelectorAll('#node .chip').length === 2")
    choose(tab, "Labels")
    confirm(tab, (0, "kept=3\nnew"))
    closed(tab)
    assert live.run(live.client.nodes.get(node.id)).labels == {"kept": "3", "new": ""}


def test_note(live: LiveConsole, tab: Tab, node: Node) -> None:
    """The dialog has the note that there is; lines stay lines, and nothing is no note."""
    live.run(live.client.nodes.update(node.id, note="in the cellar"))
    choose(tab, "Note")
    wait_for(tab, "document.querySelector('#dialog textarea')?.value === 'in the cellar'")
    confirm(tab, (0, "in the attic\nbeside the window"))
    closed(tab)
    wait_for(tab, "document.getElementById('node').textContent.includes('in the attic')")
    assert live.run(live.client.nodes.get(node.id)).note == "in the attic\nbeside the window"
    choose(tab, "Note")
    wait_for(tab, "document.getElementById('dialog').open")
    confirm(tab, (0, ""))
    closed(tab)
    assert live.run(live.client.nodes.get(node.id)).note == ""


def test_address(live: LiveConsole, tab: Tab, node: Node) -> None:
    """One that is no address of the network is refused with the server's sentence."""
    choose(tab, "Address")
    confirm(tab, (0, "192.0.2.1"))
    wait_for(tab, "!document.querySelector('#dialog .problem').hidden")
    assert "192.0.2.1" in tab.run("document.querySelector('#dialog .problem').textContent")
    assert "loses its link" in confirm(tab, (0, "10.1.1.77"))
    closed(tab)
    changed = live.run(live.client.nodes.get(node.id))
    assert (changed.address, changed.address_assigned) == ("10.1.1.77", True)
    wait_for(tab, "document.getElementById('node').textContent.includes('10.1.1.77')")
    choose(tab, "Address")
    confirm(tab, (0, ""))
    closed(tab)
    assert not live.run(live.client.nodes.get(node.id)).address_assigned


def test_expiry(live: LiveConsole, tab: Tab, node: Node) -> None:
    """A moment, in the zone that the page shows, and never again."""
    choose(tab, "Set expiry")
    assert "refused" in confirm(tab, (0, "no"), (1, "2099-03-01T12:30"))
    closed(tab)
    expires = live.run(live.client.nodes.get(node.id)).expires_at
    assert expires is not None
    assert expires.isoformat() == "2099-03-01T12:30:00+00:00"
    wait_for(tab, "document.getElementById('node').textContent.includes('2099-03-01 12:30')")
    choose(tab, "Set expiry")
    confirm(tab, (0, "yes"))
    closed(tab)
    assert live.run(live.client.nodes.get(node.id)).expires_at is None


def test_unregister(live: LiveConsole, tab: Tab, node: Node) -> None:
    """Only after its name was typed; the node is gone for good."""
    choose(tab, "Unregister")
    assert "cannot be undone" in confirm(tab, (0, "another"))
    wait_for(tab, "!document.querySelector('#dialog .problem').hidden")
    assert live.run(live.client.nodes.get(node.id)).id == node.id
    confirm(tab, (0, node.name))
    closed(tab)
    with pytest.raises(NotFound):
        live.run(live.client.nodes.get(node.id))
    wait_for(tab, "text('node-state') === 'not registered'")
    assert tab.run("document.getElementById('node-actions').hidden")


def test_issue_and_revoke_a_token(live: LiveConsole, tab: Tab) -> None:
    """The line to join with is shown once, and is nowhere else; revoked, it registers nobody."""
    tab.press("2", 50, "2")
    tab.run("document.getElementById('token-issue').click()")
    confirm(tab, (0, "3600"), (1, "5"), (2, "from the page"), (3, "shop-"), (4, "site=here"))
    wait_for(tab, "document.querySelector('#dialog code') !== null")
    line = tab.run("document.querySelector('#dialog code').textContent")
    tab.run("document.querySelector('#dialog .buttons button').click()")
    wait_for(tab, "document.getElementById('dialog').childElementCount === 0")
    secret = line.split()[2].partition("@")[0]
    assert line.startswith(f"network-controller join {secret}@")
    assert secret not in tab.run("document.documentElement.outerHTML")
    wait_for(tab, "rows('view-tokens').some((row) => cells(row)[0] === 'from the page')")
    issued = live.run(tokens(live))["from the page"]
    assert (issued.max_uses, issued.node_name_prefix) == (5, "shop-")
    assert issued.node_labels == {"site": "here"}
    tab.run("rows('view-tokens').find((row) => cells(row)[0] === 'from the page').click()")
    tab.run("document.getElementById('token-revoke').click()")
    assert "registers nobody" in confirm(tab)
    closed(tab)
    assert live.run(tokens(live))["from the page"].revoked
    tab.press("1", 49, "1")


def test_what_was_not_answered(live: LiveConsole, tab: Tab) -> None:
    """An action says so, and may be confirmed again; a view is filled as soon as it can be."""
    tab.press("2", 50, "2")
    tab.block("*/api/*token*")
    tab.run("document.getElementById('token-issue').click()")
    confirm(tab, (2, "asked again"))
    wait_for(tab, "!document.querySelector('#dialog .problem').hidden")
    told = tab.run("document.querySelector('#dialog .problem').textContent")
    assert told.startswith("The console did not answer: look whether this was done")
    live.run(live.client.tokens.issue(label="of somebody else"))
    wait_for(tab, "text('notice') === 'The console did not answer.'")
    tab.block()
    wait_for(tab, "rows('view-tokens').some((row) => cells(row)[0] === 'of somebody else')")
    wait_for(tab, "document.getElementById('notice').hidden")
    confirm(tab)
    wait_for(tab, "document.querySelector('#dialog code') !== null")
    tab.run("document.querySelector('#dialog .buttons button').click()")
    assert "asked again" in live.run(tokens(live))
    tab.press("1", 49, "1")


class Cut(JSONResponse):
    """An answer whose connection ends before its last byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_less(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": message["body"][:-1], "more_body": True}
            await send(message)

        await super().__call__(scope, receive, send_less)


def test_an_answer_that_was_cut(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no empty answer: an action says so, and a view asks again."""
    tab.press("2", 50, "2")
    wait_for(tab, "!document.getElementById('view-tokens').hidden")
    tab.run("document.getElementById('token-issue').click()")
    with monkeypatch.context() as patched:
        patched.setattr(answers, "JSONResponse", Cut)
        confirm(tab, (2, "unheard"))
        wait_for(tab, "document.querySelector('#dialog .problem:not([hidden])') !== null")
        told = tab.run("document.querySelector('#dialog .problem').textContent")
        assert told.startswith("The console's answer was cut: look whether this was done")
        wait_for(tab, "text('notice') === 'The console\\'s answer was cut.'")
    wait_for(tab, "rows('view-tokens').some((row) => cells(row)[0] === 'unheard')")
    tab.run("document.querySelector('#dialog form > .buttons > :first-child').click()")
    tab.press("1", 49, "1")


async def tokens(live: LiveConsole) -> dict[str, BootstrapToken]:
    return {each.label: each async for each in live.client.tokens.list(all=True)}


def test_issue_an_operators_certificate(live: LiveConsole, tab: Tab) -> None:
    """For a request that the operator made: no key is in the page, nor asked of the server."""
    key_pem, csr_pem = certificate_request("carol")
    tab.press("3", 51, "3")
    tab.run("document.getElementById('operator-issue').click()")
    told = confirm(tab, (0, "carol"), (1, "viewer"), (2, "604800"), (3, "no request"))
    assert "the request alone" in told
    wait_for(tab, "!document.querySelector('#dialog .problem').hidden")
    confirm(tab, (3, csr_pem.decode()))
    wait_for(tab, "document.querySelector('#dialog form') === null")
    tab.run(
        """saved = [];
        URL.createObjectURL = (blob) => (saved.push(blob), "#");
        document.querySelectorAll("#dialog .main").forEach((each) =>
          each.textContent.startsWith("Save") && each.click())"""
    )
    files = tab.run("Promise.all(saved.map((each) => each.text()))")
    tab.run("document.querySelector('#dialog > div > .buttons:last-child button').click()")
    closed(tab)
    certificate, ca = (read_pem(text) for text in files)
    assert certificate.public_key() == load_pem_private_key(key_pem, None).public_key()
    certificate.verify_directly_issued_by(ca)
    assert "PRIVATE KEY" not in tab.run("document.documentElement.outerHTML")
    everybody = live.run(live.client.administrators.list())
    assert [each.role for each in everybody if each.name == "carol"] == [Role.VIEWER]
    wait_for(tab, "rows('view-certificates').some((row) => cells(row)[0] === 'carol')")
    tab.press("1", 49, "1")


def read_pem(text: str) -> Certificate:
    return load_pem_x509_certificate(text.encode())


def test_revoke_an_operator(live: LiveConsole, tab: Tab) -> None:
    """The certificate is refused from now on."""
    live.run(live.client.administrators.issue("mallory", Role.ADMIN))
    tab.press("3", 51, "3")
    wait_for(tab, "rows('view-certificates').some((row) => cells(row)[0] === 'mallory')")
    tab.run("rows('view-certificates').find((row) => cells(row)[0] === 'mallory').click()")
    tab.run("document.getElementById('operator-revoke').click()")
    assert "refused from now on" in confirm(tab)
    closed(tab)
    everybody = live.run(live.client.administrators.list(all=True))
    assert [each.revoked for each in everybody if each.name == "mallory"] == [True]
    tab.press("1", 49, "1")


def test_a_page_out_of_sight_forgets_the_dialog(browser: Chromium, tab: Tab) -> None:
    """It is emptied when it is closed, though a page out of sight has no frames."""
    tab.press("2", 50, "2")
    tab.run("document.getElementById('token-issue').click()")
    with Tab(browser):
        wait_for(tab, "document.hidden")
        tab.run("document.querySelector('#dialog form > .buttons > :first-child').click()")
        assert tab.run("document.getElementById('dialog').childElementCount") == 0
    wait_for(tab, "!document.hidden")
    tab.press("1", 49, "1")


@pytest.mark.usefixtures("node")
def test_the_past_has_no_actions(tab: Tab) -> None:
    """Actions are about how things are now."""
    assert not tab.run("document.getElementById('node-actions').hidden")
    tab.press("ArrowLeft", 37)
    assert tab.run("document.getElementById('node-actions').hidden")
    tab.press("End", 35)

"""The settings of NATS in packaging/: a server of NATS takes them, and so do ours."""

import re
import subprocess
from pathlib import Path

from tests.support.nats_identities import write_certificates
from tests.support.nats_servers import PROGRAM

PACKAGED = Path(__file__).parent.parent / "packaging" / "nats" / "nats.conf"


def test_a_server_of_nats_takes_them(tmp_path: Path) -> None:
    """`nats-server -t` finds nothing wrong; each record is on the disk before its answer."""
    folder = tmp_path / "nats"
    write_certificates(folder)
    text = PACKAGED.read_text(encoding="utf-8")
    assert re.search(r"^  sync_interval: always$", text, re.MULTILINE)
    assert len(re.findall(r"nats-route://[0-9.]+:6222", text)) == 3
    here = tmp_path / "nats.conf"
    here.write_text(text.replace("/etc/nats/", f"{folder}/"), encoding="utf-8")
    done = subprocess.run([PROGRAM, "-t", "-c", here], check=False, capture_output=True, text=True)
    assert (done.returncode, "is valid" in done.stderr) == (0, True), done.stderr

"""The hub and a site as they are deployed: installed in a clean Debian, and started by a systemd that was booted there."""

import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.whole.clean_root import make_root, run

pytestmark = [pytest.mark.process, pytest.mark.install]

PITLINK = "/opt/pitlink/.venv/bin/pitlink"
STATE = "/var/lib/pitlink-cloud"


def test_the_images_steps_make_a_hub_that_runs_as_nobody_in_particular(tmp_path: Path) -> None:
    root = make_root(tmp_path, with_systemd=False)
    as_user = ("chroot", "--userspec=10001:10001", str(root), PITLINK)
    refused = subprocess.run(
        [*as_user, "cloud", "--state-dir", STATE], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3
    assert "pitlink keys init" in refused.stderr
    run(*as_user, "keys", "init", "--state-dir", STATE)
    run(*as_user, "site", "add", "north", "--state-dir", STATE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    hub = subprocess.Popen(
        [*as_user, "cloud", "--state-dir", STATE, "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    try:
        assert '"daemon":"cloud"' in _health(port, hub)
    finally:
        hub.terminate()
        assert hub.wait(timeout=10) == 0


def _health(port: int, hub: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while True:
        assert hub.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.1)


SCRIPT = f"""#!/bin/sh
# What an operator types, inside the booted machine.
exec > /root/said 2>&1
{PITLINK} install-service cloud && {PITLINK} install-service pits && {PITLINK} install-service pits --instance north
echo "installed $?"
touch /etc/pitlink/cloud.toml /etc/pitlink/pits.toml
echo 'listen = ":8091"' > /etc/pitlink/pits-north.toml
runuser -u pitlink-cloud -- {PITLINK} keys init --state-dir {STATE}
runuser -u pitlink-cloud -- {PITLINK} site add north --state-dir {STATE} > /root/code
for unit in pitlink-cloud pitlink-pits pitlink-pits@north; do
    systemctl start $unit
    echo "$unit $(systemctl is-active $unit) $(systemctl show -p StatusText --value $unit)"
done
stat -c '%n %a %U' /run/pitlink-* /var/lib/pitlink-*
printf 'Correct-horse-battery-9\\n' > /root/password && chmod 644 /root/password && chmod o+x /root
runuser -u pitlink-cloud -- {PITLINK} user add anna --role operator --site '*' --password-file /root/password --state-dir {STATE}
python3 -c 'if True:
    import json, urllib.request
    body = json.dumps({{"name": "anna", "password": "Correct-horse-battery-9"}}).encode()
    asked = urllib.request.Request("http://127.0.0.1:8443/api/login", body, {{"content-type": "application/json"}})
    print("login", urllib.request.urlopen(asked, timeout=20).status)'
{PITLINK} status --at {STATE}
echo "status $?"
{PITLINK} doctor cloud --quick -c /etc/pitlink/cloud.toml --state-dir {STATE}
echo "doctor $?"
runuser -u pitlink-pits -- {PITLINK} enroll http://127.0.0.1:8443 --code "$(head -1 /root/code)" \\
    --state-dir /var/lib/pitlink-pits-north
printf 'site = "north"\\ncloud_url = "ws://127.0.0.1:8443"\\n' >> /etc/pitlink/pits-north.toml
systemctl restart pitlink-pits@north
{PITLINK} doctor pits --quick -c /etc/pitlink/pits-north.toml --state-dir /var/lib/pitlink-pits-north
main=$(systemctl show -p MainPID --value pitlink-cloud)
kill -KILL "$main"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    sleep 1
    [ "$(systemctl is-active pitlink-cloud)" = active ] && break
done
echo "killed $(systemctl is-active pitlink-cloud) $(systemctl show -p NRestarts --value pitlink-cloud)"
systemctl stop pitlink-cloud pitlink-pits pitlink-pits@north
echo "stopped $(systemctl show -p Result --value pitlink-cloud pitlink-pits pitlink-pits@north | sort -u | xargs)"
key=/etc/credstore/pitlink-cloud.storage.key
(umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))' > $key)
{PITLINK} storage encrypt cloud --new-key-file $key --state-dir {STATE} > /root/encrypted
echo "encrypted $? $(stat -c %U {STATE}/*.db | sort -u | xargs)"
systemctl start pitlink-cloud
echo "encrypted hub $(systemctl is-active pitlink-cloud)"
runuser -u pitlink-cloud -- {PITLINK} site list --state-dir {STATE} 2>&1
echo "without key $?"
systemd-run -q --pipe --wait -p User=pitlink-cloud -p LoadCredential=storage.key:$key {PITLINK} site list --state-dir {STATE}
echo "with key $?"
systemctl stop pitlink-cloud
journalctl --no-pager -u 'pitlink-*'
"""

UNIT = """[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/operator.sh
ExecStopPost=systemctl --no-block poweroff
TimeoutStartSec=200
[Install]
WantedBy=multi-user.target
"""


def test_a_booted_systemd_starts_watches_and_stops_the_hardened_units(tmp_path: Path) -> None:
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("no systemd-nspawn here")
    root = make_root(tmp_path, with_systemd=True)
    (root / "root" / "operator.sh").write_text(SCRIPT)
    unit = root / "etc" / "systemd" / "system" / "operator.service"
    unit.write_text(UNIT)
    wants = unit.parent / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit.name).symlink_to(f"../{unit.name}")
    options = [
        "--boot",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--resolv-conf=off",
        "--link-journal=no",
    ]
    booted = subprocess.run(
        ["systemd-nspawn", "-D", str(root), *options],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    said = root / "root" / "said"
    if not said.exists():
        pytest.skip(f"no systemd could be booted: {booted.stderr[-300:]}")
    told = said.read_text()
    assert "installed 0" in told, told
    for name in ("pitlink-cloud", "pitlink-pits", "pitlink-pits@north"):
        assert re.search(rf"^{name} active", told, re.MULTILINE), told
    for line in re.findall(r"^/(?:run|var/lib)/pitlink-\S+ .*", told, re.MULTILINE):
        path, mode, owner = line.split()
        assert mode == "700", line
        assert Path(path).name.startswith(owner), line
    assert "login 200" in told, (
        told
    )  # hashing and signing work without memory that is writable and executable
    assert "status 0" in told, told
    assert "doctor 0" in told, told
    assert "accepts it; the site is connected already" in told or "accepts this site's key" in told, told
    assert "killed active 1" in told, told
    assert "stopped success" in told, told
    assert "encrypted 0 pitlink-cloud" in told, told
    assert "encrypted hub active" in told, told
    assert "without key 3" in told and "systemd-run --pipe --wait" in told, told
    assert "with key 0" in told, told
    assert "Traceback" not in told, told

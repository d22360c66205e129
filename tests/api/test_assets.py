"""Are the pages' files served for ever under their hash, and are the pages whole without the parts?"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from callers import Api

from api.assets import asset_url

ROOT = Path(__file__).parents[2]


def test_a_file_is_kept_for_ever_and_compressed_for_whoever_takes_it(api: Api) -> None:
    address = str(asset_url("taizhang.css"))
    assert re.fullmatch(r"/assets/taizhang\.[0-9a-f]{12}\.css", address)
    plain = api.get(address, role=None)
    packed = api.get(address, role=None, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.data) == plain.data
    for answer in (plain, packed):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_type.startswith("text/css")
    assert api.get(address.replace(".css", "0.css"), role=None).status_code == 404
    assert api.get("/assets/..%2fmenu.py", role=None).status_code == 404


def test_no_page_may_run_or_style_anything_inline(api: Api) -> None:
    policy = api.get("/sign-in", role=None).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in policy


def test_the_lock_has_hashes_and_no_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {"node_modules/htmx.org", "node_modules/echarts", "node_modules/heroicons"} <= set(packages)
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


WITHOUT_PARTS = """
import sys
from api.app import create_app
from api.assets import missing_parts
from workers.settings import settings_for
from pathlib import Path
assert missing_parts() == ["htmx.js", "echarts.js", "icons.svg"]
page = create_app(settings_for(Path(sys.argv[1]))).test_client().get("/sign-in")
assert page.status_code == 200 and "htmx" not in page.text and "<use" not in page.text
assert "/assets/taizhang." in page.text
"""


def test_the_pages_are_whole_where_no_part_was_installed(tmp_path: Path) -> None:
    """Given another Python without the parts, when a page is asked for, then it is there."""
    other = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    packages = [p for p in sys.path if "site-packages" in p]
    done = subprocess.run(
        [other / "bin/python", "-c", WITHOUT_PARTS, str(tmp_path / "home")], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *packages])},
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr

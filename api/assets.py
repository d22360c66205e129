"""Which files do the pages load, and under which address?

Our own stylesheets and script lie in the tree; the front-end parts are installed beside
Python by lock (``api/cli/parts.py``) and never lie there. Each is addressed by a hash of
its contents, so that a browser keeps it for ever and never shows an old one. A part that is
not installed has no address: every page reads and every form posts without it.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, abort, request

OWN: Final = Path(__file__).parent / "pages" / "static"
PARTS: Final = Path(sys.prefix) / "share" / "taizhang" / "parts"
"""Where the parts are, in a folder of the Python that runs: one an installation."""
NEEDED: Final = ("htmx.js", "echarts.js", "icons.svg")
FOR_EVER: Final = "public, max-age=31536000, immutable"
COMPRESSED: Final = frozenset({"text/css", "text/javascript", "image/svg+xml"})

assets: Final = Blueprint("assets", __name__)


@dataclass(frozen=True)
class Asset:
    """A file that a page loads."""

    path: Path

    @cached_property
    def content(self) -> bytes:
        """The file as it is."""
        return self.path.read_bytes()

    @cached_property
    def packed(self) -> bytes:
        """The file compressed: the parts are, when they are installed; our own are small."""
        beside = self.path.with_name(f"{self.path.name}.gz")
        return beside.read_bytes() if beside.exists() else gzip.compress(self.content, mtime=0)

    @cached_property
    def address(self) -> str:
        """Its name with a hash of its contents."""
        digest = hashlib.sha256(self.content).hexdigest()[:12]
        return f"{self.path.stem}.{digest}{self.path.suffix}"

    @property
    def media_type(self) -> str:
        """What it is."""
        found = mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"
        return "text/javascript" if found == "application/javascript" else found


@cache
def _found() -> dict[str, Asset]:
    """Every file that is there, by its name; read once a process."""
    folders = [folder for folder in (OWN, PARTS) if folder.is_dir()]
    paths = (path for folder in folders for path in sorted(folder.iterdir()))
    return {p.name: Asset(p) for p in paths if p.suffix in {".css", ".js", ".svg"}}


@cache
def _by_address() -> dict[str, Asset]:
    return {asset.address: asset for asset in _found().values()}


def missing_parts() -> list[str]:
    """The parts that the pages would load and that are not installed."""
    return [name for name in NEEDED if name not in _found()]


def asset_url(name: str) -> str | None:
    """Where a file is served; ``None`` where it is not installed."""
    asset = _found().get(name)
    return None if asset is None else f"/assets/{asset.address}"


def asset_text(name: str) -> str:
    """A file of our own as text: what is served under an address without a hash."""
    return _found()[name].content.decode()


def _serve(address: str) -> Response:
    asset = _by_address().get(address)
    if asset is None:
        abort(404)
    is_packed = asset.media_type in COMPRESSED and request.accept_encodings.quality("gzip") > 0
    answer = Response(asset.packed if is_packed else asset.content, mimetype=asset.media_type)
    if is_packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


# Named "static" like Flask's own: it shows nothing of anybody, and asks for no sign-in.
assets.add_url_rule("/assets/<address>", endpoint="static", view_func=_serve)


def install(app: Flask) -> None:
    """Serve the files, and let templates ask for their addresses."""
    app.register_blueprint(assets)
    app.jinja_env.globals["asset"] = asset_url

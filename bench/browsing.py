"""How is a page opened in Chromium: on any machine, and as on a slow phone?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP station.lan 127.0.0.1",  # plain http: no secure context
)
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
CPU_SLOWED: Final = 4
SLOW_3G: Final = {
    "offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000,
}
"""Milliseconds of a round trip, and bytes a second: 400 kbit/s."""


@contextmanager
def chromium(port: int) -> Iterator[Browser]:
    """Debian's Chromium, which others may lead too, by a port of the loopback."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, f"--remote-debugging-port={port}"]
        )
        yield browser
        browser.close()


def slow_down(page: Page) -> None:
    """Let a page work as on a slow phone with a slow network, by the browser's own emulation."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWED})
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_3G)

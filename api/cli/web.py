"""How is the web application served? By gunicorn's threads, in one process beside its master."""

from __future__ import annotations

import gc
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from api.app import create_app
from api.live import MOST_LISTENERS
from api.services import EXTENSION
from workers.settings import Settings

REQUESTS: Final = 16
"""How many requests are answered at the same time."""
THREADS: Final = REQUESTS + MOST_LISTENERS
"""Each page that listens holds a thread, so that there are as many more (decision 0033)."""
GRACEFUL_SECONDS: Final = 5
LARGEST_REQUEST_LINE: Final = 8190


class JsonLines(Logger):  # type: ignore[misc]
    """Gunicorn's messages through the program's own log."""

    def setup(self, cfg: Any) -> None:
        """Set up as gunicorn does, then hand everything to the root's handler."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers[:] = []
            logger.propagate = True


class Threads(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threads, which lets go of the pages that listen when it is told to stop."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop: whoever listens is sent home within a second."""
        self._send_home()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once."""
        self._send_home()
        super().handle_quit(sig, frame)

    def _send_home(self) -> None:
        if isinstance(self.wsgi, Flask):
            self.wsgi.extensions[EXTENSION].newsroom.is_closed = True


class Web(BaseApplication):  # type: ignore[misc]
    """The application with its settings; gunicorn's own configuration sources are unused."""

    def __init__(self, settings: Settings, fd: int | None) -> None:
        """Remember the settings; ``fd`` is a socket that listens already."""
        self.settings = settings
        self.bind = f"fd://{fd}" if fd is not None else f"{settings.host}:{settings.port}"
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        given = {
            "bind": self.bind, "worker_class": Threads, "workers": 1, "threads": THREADS,
            "graceful_timeout": GRACEFUL_SECONDS, "timeout": 120, "keepalive": 30,
            "limit_request_line": LARGEST_REQUEST_LINE, "loglevel": "warning",
            "logger_class": JsonLines, "proc_name": "taizhang-web", "control_socket_disable": True,
            "post_worker_init": _settle,
        }
        for name, value in given.items():
            if name in self.cfg.settings:  # the control socket came with gunicorn 25.1
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in the process that serves it."""
        return create_app(self.settings)


def _settle(_worker: object) -> None:
    """What is loaded stays: no collection looks through it again while somebody waits."""
    gc.collect()
    gc.freeze()


def serve_web(settings: Settings, fd: int | None) -> None:
    """Serve until told to stop."""
    Web(settings, fd).run()

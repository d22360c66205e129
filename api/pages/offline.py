"""What does a phone need to record without a signal? A shell, forms, and whom one visits.

The shell says nothing of anybody, so that a browser may keep it; the forms and whoever is
taken along are fetched by the shell's script (``static/outbox.js``), which also sends what
waits, through the same routes as the forms of a page, under ids that were made on the phone.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from flask import Response, jsonify, make_response, render_template, request, url_for
from msgspec.structs import fields as struct_fields

from api.assets import asset_text, asset_url
from api.forms import form_token
from api.identity import (
    OWN,
    PUBLIC,
    READ_CASES,
    READ_NAMES,
    action,
    caller,
    may,
    today,
)
from api.language import translated
from api.pages.fields import Around, form_fields
from api.pages.finding import HOUSEHOLD, VOLUNTEER, sought
from api.pages.likely import likely
from api.pages.shortcuts import QUEUED
from api.pages.taken import KINDS_TAKEN, taken
from api.pages.views import pages
from api.pages.writing import OCCURRED, Given, may_state, stated_by
from api.problems import NotAllowed
from api.queries import one_station
from api.services import services
from domain.fields import REFERS_TO, marks_of
from domain.kernel import Event, UnknownRecord
from projections.monthly_report import station_profile

KEPT_SECONDS: Final = 12 * 3600
"""How long a browser may show the shell without asking: a working day."""
MOST_OFFERED: Final = 12
"""So many who may be meant are offered; of more it is said that there are more."""
SHELL: Final = (
    "taizhang.css", "offline.css", "dark.css", "taizhang.js", "outbox-rules.js", "outbox.js",
    "offline.js", "icons.svg",
)
"""What the shell loads; the service worker keeps these and nothing else."""
TEXTS: Final = {
    "waiting": "等待上传", "perhaps": "上次没有收到回答，会再传一次，不会重复",
    "refused": "没有被接受", "conflict": "有变动，请核对", "unnamed": "还没有选定是谁",
    "edit": "修改", "discard": "删除", "confirm": "核对过，照样登记", "anew": "另记一条",
    "resolve": "选定", "drop": "不带了", "nobody": "没有找到", "no_signal": "没有信号，稍后再查",
    "more": "还有更多，请写得更全",
    "sure": "删除后找不回来，再按一次删除",
    "perhaps_sure": "这一条可能已经登记；再按一次只从设备上删除",
    "full": "已带走 20 个，请先去掉几个",
}
"""What the script says, in the reader's language."""


# ---- what a browser keeps: nothing of anybody ----


@pages.route("/offline")
@action(PUBLIC)
def offline_page() -> Response:
    """The shell: the same for everybody."""
    page = make_response(render_template("pages/offline.html", texts=TEXTS))
    page.headers["Cache-Control"] = f"private, max-age={KEPT_SECONDS}"
    return page


@pages.route("/service-worker.js")
@action(PUBLIC)
def service_worker() -> Response:
    """Keeps the shell where there is TLS; its own text changes with every file of it."""
    kept = [url_for("pages.offline_page"), *filter(None, map(asset_url, SHELL))]
    own = asset_text("service-worker.js")
    mark = hashlib.sha256("\n".join([own, *kept]).encode()).hexdigest()[:12]
    text = f'const SHELL = {json.dumps(kept)};\nconst CACHE = "shell-{mark}";\n{own}'
    answer = Response(text, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@pages.route("/manifest.webmanifest")
@action(PUBLIC)
def manifest() -> Response:
    """How the pages look when they are installed on a phone."""
    said = {
        "name": translated("台账"), "short_name": translated("台账"), "lang": "zh-CN",
        "start_url": "/", "scope": "/", "display": "standalone",
        "background_color": "#faf8f4", "theme_color": "#8a2b1d",
        "icons": [{"src": asset_url("app.svg"), "sizes": "any", "type": "image/svg+xml"}],
        "shortcuts": [{"name": translated("离线记录"), "url": url_for("pages.offline_page")}],
    }
    answer = Response(json.dumps(said, ensure_ascii=False), mimetype="application/manifest+json")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


# ---- who, and which forms ----


@pages.route("/offline/session")
@action(OWN)
def offline_session() -> Response:
    """Whose session it is: what waits is sent for nobody else."""
    who = caller()
    return jsonify({
        "account": who.account or "", "station": who.scope.only or who.chosen or "",
        "form_token": form_token(),
    })


@pages.route("/offline/forms")
@action(READ_CASES)
def offline_forms() -> str:
    """The forms with the station's communities and the codes of today."""
    communities = [c.name for c in station_profile(services().ledger, one_station()).communities]
    around = Around(today(), communities, given=frozenset({HOUSEHOLD}))
    return render_template(
        "pages/offline_forms.html", occurred=OCCURRED,
        forms=[_form(topic, around) for topic in QUEUED if may_state(topic)],
    )


def _form(topic: str, around: Around) -> dict[str, Any]:
    found = stated_by(topic)
    assert found is not None
    noun, event, how = found
    asked = form_fields(event, around)
    given = Given("", likely(event, None, asked, request.args))
    needs_household = _needs_household(event)
    kind = None if how.is_opening else noun.kind.name
    return {
        "topic": topic, "label": event.label, "asked": asked, "given": given,
        "kind": kind if needs_household is None else HOUSEHOLD,
        "may_be_nobody": needs_household is False,
    }


def _needs_household(event: type[Event]) -> bool | None:
    """Whether an event must name a household; ``None`` where it names none."""
    named = [n for n, marks in marks_of(event).items() if marks.get(REFERS_TO) == HOUSEHOLD]
    return next((one.required for one in struct_fields(event) if one.name in named), None)


# ---- who is taken along, and who was meant ----


@pages.route("/offline/taken/<kind>/<subject>")
@action(READ_CASES)
def offline_taken(kind: str, subject: str) -> Response:
    """One household or volunteer, for a phone to take along; written down as a reading."""
    if kind not in KINDS_TAKEN:
        raise UnknownRecord(id=subject, kind=kind)
    return jsonify(taken(kind, subject))


@pages.route("/offline/find", methods=["POST"])
@action(READ_NAMES)
def offline_find() -> Response:
    """Who is meant by a file number, name, number or address that was written down."""
    text, kind = request.form.get("sought", "").strip()[:200], request.form.get("kind", "")
    one_station()  # refused where it is another's, also for a question about nobody
    if kind not in KINDS_TAKEN or not text:
        return jsonify({"items": []})
    noun = "volunteers" if kind == VOLUNTEER else "households"
    if not may(READ_NAMES, noun):
        raise NotAllowed(role=caller().role.label, verb=noun)
    found = sought(kind, text, MOST_OFFERED)
    items = [taken(kind, subject) for subject in found.ids]
    return jsonify({"items": items, "is_complete": found.is_complete})

"""Does a photo come to a record clean, sealed and confined, and go when its person goes?"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from callers import VISIT, Api, form_of, refusal_of
from click.testing import CliRunner, Result
from PIL import Image
from werkzeug.test import TestResponse

from api.cli import main
from api.edge import now
from domain.evidence import MOST_BYTES
from workers import runtime, verdicts
from workers.backup import backup, restore
from workers.evidence_apart import cleaned
from workers.evidence_cleaning import EvidenceTooLarge, EvidenceUnreadable
from workers.evidence_files import drop_unnamed, evidence_file
from workers.jobs.verify import verify
from workers.settings import Settings, settings_for


def a_photo(*, turned: int = 6, size: tuple[int, int] = (1200, 800), color: str = "teal") -> bytes:
    """What a phone's camera writes: held upright, with maker and place."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = turned, "Camera-Maker"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "JPEG", exif=exif, comment=b"at-home")
    return out.getvalue()


def a_paper() -> bytes:
    """A scanned sheet with an author, a photo with a place in it, and a script."""
    out = io.BytesIO()
    with pikepdf.new() as paper:
        paper.add_blank_page()
        paper.docinfo["/Author"] = "Secret-Author"
        with paper.open_metadata() as metadata:
            metadata["dc:creator"] = ["Secret-Author"]
        paper.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        photo = paper.make_stream(
            a_photo(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=1200,
            Height=800, ColorSpace=pikepdf.Name.DeviceRGB, BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        paper.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=photo))
        paper.pages[0].Contents = paper.make_stream(b"q 100 0 0 100 0 0 cm /Im0 Do Q")
        paper.save(out)
    return out.getvalue()


def attached(
    api: Api, record: str, content: bytes | None = None, *, name: str = "IMG.jpg", **more: Any
) -> TestResponse:
    file = (io.BytesIO(a_photo() if content is None else content), name)
    said = {"record": record, "kind": "photo", "file": file} | more.pop("said", {})
    return api.call("POST", "evidence", data=said, **more)


@pytest.fixture
def household(api: Api) -> str:
    return api.household()


@pytest.fixture
def visit(api: Api, household: str) -> str:
    return f"visit/{api.recorded('visits', VISIT | {'household': household})['id']}"


def a_meeting(api: Api) -> str:
    """A record that is nobody's."""
    held = {"occurred_on": "2024-11-05", "title": "例会", "kind": "work"}
    return f"meeting/{api.recorded('meetings', held)['id']}"


def stored(api: Api, answer: TestResponse) -> Any:
    return evidence_file(api.services.settings, answer.get_json()["data"]["file"])


# ---- what is kept ----


def test_a_photo_is_kept_upright_without_place_and_sealed(api: Api, visit: str) -> None:
    answer = attached(api, visit, said={"caption": "王秀兰家中"})
    assert answer.status_code == 201, answer.text
    said = answer.get_json()
    # what the log holds names the sealed file by its hash, which tells nothing of the photo
    box = stored(api, answer).read_bytes()
    assert hashlib.sha256(box).hexdigest() == said["data"]["file"]
    assert b"JFIF" not in box
    # the key is shown to nobody
    assert said["data"]["file_key"] == "（不显示）"
    # and what one is given is the photo, turned as it was held, of the digest that is stated
    shown = api.get(f"evidence/{said['id']}/file")
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert hashlib.sha256(shown.data).hexdigest() == said["data"]["digest"]
    picture = Image.open(io.BytesIO(shown.data))
    assert picture.size == (800, 1200)
    assert not picture.getexif()
    assert all(text not in shown.data for text in (b"Camera-Maker", b"at-home"))
    small = Image.open(io.BytesIO(api.get(f"evidence/{said['id']}/thumbnail").data))
    assert max(small.size) == 320
    # it occurred when the visit did, and is about whom the visit is about
    assert said["occurred"]["on"] == VISIT["occurred_on"]
    assert said["data"]["household"]


def test_a_paper_loses_its_author_scripts_and_the_places_of_its_photos(api: Api, visit: str) -> None:
    answer = attached(api, visit, a_paper(), name="sheet.jpg", said={"kind": "sign_in_sheet"})
    assert answer.get_json()["data"]["media_type"] == "application/pdf"
    shown = api.get(f"evidence/{answer.get_json()['id']}/file").data
    assert all(t not in shown for t in (b"Secret-Author", b"Camera-Maker", b"JavaScript"))
    with pikepdf.open(io.BytesIO(shown)) as paper:
        photo = pikepdf.PdfImage(paper.pages[0].Resources.XObject.Im0).as_pil_image()
        assert photo.size == (1200, 800)


@pytest.mark.parametrize(("content", "status", "code"), [
    (b"", 422, "evidence_empty"),
    (b"GIF89a" + b"\0" * 20, 422, "evidence_type"),
    (b"<html>\xff\xd8\xff", 422, "evidence_type"),
    (a_photo()[:400], 422, "evidence_unreadable"),
    (b"%PDF-1.7\nnothing", 422, "evidence_unreadable"),
])
def test_what_is_no_clean_photo_is_refused_and_nothing_kept(
    api: Api, visit: str, content: bytes, status: int, code: str
) -> None:
    head = api.head()
    refusal_of(attached(api, visit, content), status, code)
    assert api.head() == head
    assert not (api.services.settings.home / "evidence").exists()


def a_bomb(megabytes: int) -> bytes:
    """A PDF with an object stream that unpacks to a thousand times its size."""
    packed = zlib.compressobj(9)
    held = packed.compress(b"2 0 <</Type/Catalog/Pages<</Type/Pages/Kids[]/Count 0>>>>")
    held += b"".join(packed.compress(b" " * (1 << 20)) for _ in range(megabytes)) + packed.flush()
    head = (b"%%PDF-1.5\n1 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n"
            % len(held))
    table = head + held + b"\nendstream endobj\n"
    where = b"".join((b"\0\0\0\0\0\0", b"\1\0\0\0\x09\0", b"\2\0\0\0\1\0"))
    return table + (
        b"3 0 obj\n<</Type/XRef/Size 3/W[1 4 1]/Root 2 0 R/Length %d>>stream\n%s\nendstream endobj\n"
        b"startxref\n%d\n%%%%EOF" % (len(where), where, len(table))
    )


def test_a_file_that_is_or_unpacks_too_large_is_refused_and_harms_nobody() -> None:
    vast = io.BytesIO()
    Image.new("P", (7_740, 7_740)).save(vast, "PNG")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for content in (b"\xff\xd8\xff" + b"\0" * MOST_BYTES, vast.getvalue(), a_bomb(300)):
        with pytest.raises((EvidenceTooLarge, EvidenceUnreadable)):
            cleaned(content)
    assert cleaned(a_bomb(1)).content.startswith(b"%PDF-")  # which is not refused for its form
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


PHOTO, PACKED = pikepdf.Name.DCTDecode, pikepdf.Name.FlateDecode


def a_paper_with(photo: bytes, *packing: pikepdf.Name) -> bytes:
    """A paper with a packed photo, and everything that a click or a reader may set off."""
    out = io.BytesIO()
    with pikepdf.new() as paper:
        paper.add_blank_page()
        script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="Secret-Script")
        file = pikepdf.Dictionary(F=paper.make_stream(b"Secret-File"))
        opens = pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.Dictionary(EF=file))
        mark = pikepdf.Dictionary(Title="Secret-Title", A=script)
        paper.Root.Outlines = pikepdf.Dictionary(First=paper.make_indirect(mark))
        paper.Root.StructTreeRoot = pikepdf.Dictionary(K=pikepdf.Dictionary(Alt="Secret-Text"))
        letter = pikepdf.Dictionary(A=paper.make_stream(b"500 0 d0 0 0 9 9 re f"))
        held = paper.make_stream(
            photo, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=1200, Height=800,
            ColorSpace=pikepdf.Name.DeviceRGB, BitsPerComponent=8, Filter=pikepdf.Array(packing),
        )
        held.DecodeParms = pikepdf.Array([None] * (len(packing) - 1) + [{"/ColorTransform": 1}])
        paper.pages[0].Resources = pikepdf.Dictionary(
            XObject=pikepdf.Dictionary(Im0=held), Letters=letter,
            Within=pikepdf.Dictionary(A=opens),
        )
        paper.save(out, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return out.getvalue()


@pytest.mark.parametrize("packing", [(PHOTO,), (PACKED, PHOTO)])
def test_a_photo_in_a_paper_is_cleaned_however_it_is_packed(packing: Any) -> None:
    photo = a_photo() + b"Secret-Trailer"
    packed = zlib.compress(photo) if PACKED in packing else photo
    clean = cleaned(a_paper_with(packed, *packing)).content
    with pikepdf.open(io.BytesIO(clean)) as paper:
        own = paper.pages[0].Resources
        held = own.XObject.Im0.read_raw_bytes()
        assert pikepdf.PdfImage(own.XObject.Im0).as_pil_image().size == (1200, 800)
        assert own.XObject.Im0.DecodeParms.ColorTransform == 1
        assert own.Letters.A.read_bytes().startswith(b"500 0 d0")
        told = held + b"".join(part.unparse(resolved=True) for part in paper.objects)
    for text in (b"Camera-Maker", b"at-home", b"Secret", b"/JavaScript", b"/Launch", b"/EF"):
        assert text not in told


@pytest.mark.parametrize("packing", [
    (pikepdf.Name.JPXDecode,), (pikepdf.Name.ASCIIHexDecode, PHOTO), (PACKED, PACKED, PHOTO),
])
def test_a_photo_in_a_paper_that_cannot_be_looked_into_is_refused(packing: Any) -> None:
    with pytest.raises(EvidenceUnreadable):
        cleaned(a_paper_with(a_photo(), *packing))


def test_a_photo_is_of_a_record_that_is_there_and_takes_it_once(api: Api, visit: str) -> None:
    refusal_of(attached(api, "visit/none"), 404, "unknown_record")
    refusal_of(attached(api, visit, said={"step": "2"}), 404, "unknown_entry")
    refusal_of(attached(api, f"station/{api.station}"), 422, "not_evidenced")
    key = {"Idempotency-Key": "once"}
    first, again = (attached(api, visit, headers=key) for _ in range(2))
    assert first.get_json()["position"] == again.get_json()["position"]
    refusal_of(attached(api, visit), 409, "evidence_twice")


def test_whoever_may_not_record_the_record_may_not_attach_to_it(api: Api, visit: str) -> None:
    refusal_of(attached(api, visit, role="volunteer_coordinator"), 403, "not_allowed")
    # nothing is opened of what he sent, either
    refusal_of(attached(api, visit, b"%PDF-broken", role="reviewer"), 403, "not_allowed")


def test_only_what_a_photo_is_called_can_be_corrected(api: Api, visit: str) -> None:
    said = attached(api, visit).get_json()
    path, match = f"evidence/{said['id']}/entries/1/attached", {"If-Match": '"1"'}
    own = {n: v for n, v in said["data"].items() if n not in {"household", "person", "volunteer"}}
    body = {n: v for n, v in own.items() if v is not None} | {
        "occurred_on": VISIT["occurred_on"], "reason": "写错了", "caption": "入户",
    }
    refusal_of(
        api.call("PUT", path, body | {"file": "a" * 64}, headers=match), 409, "evidence_fixed"
    )
    assert api.call("PUT", path, body, headers=match).status_code == 201
    assert api.get(f"evidence/{said['id']}/file").status_code == 200


def test_a_record_with_a_photo_is_not_corrected_to_be_another_household_s(
    api: Api, visit: str, household: str
) -> None:
    said = attached(api, visit).get_json()
    own = f"evidence/{said['id']}/entries/1"
    other = api.household(members=[{"person": "p9", "name": "另一人", "relation": "head"}])

    def corrected(household: str, version: int) -> TestResponse:
        body = VISIT | {"household": household, "reason": "户选错了"}
        match = {"If-Match": f'"{version}"'}
        return api.call("PUT", f"visits/{visit.partition('/')[2]}/entries/1/recorded", body, headers=match)

    # whether the read models know the photo or not
    for _ in range(2):
        refusal = refusal_of(corrected(other, 1), 409, "evidence_moved")
        assert said["id"] in refusal["detail"]
        api.project()
    # nothing is in the way of other corrections, nor of this one without the photo
    note = VISIT | {"household": household, "note": "补记", "reason": "漏了"}
    path = f"visits/{visit.partition('/')[2]}/entries/1/recorded"
    assert api.call("PUT", path, note, headers={"If-Match": '"1"'}).status_code == 201
    gone = api.call("DELETE", own, {"reason": "户选错了"}, headers={"If-Match": '"1"'})
    assert gone.status_code == 201, gone.text
    assert corrected(other, 2).status_code == 201
    # the old one stays the first household's; the same photo, added anew, is the other's
    again = {"If-Match": '"2"'}
    refusal_of(api.post(f"{own}/reinstatement", {"reason": "看错"}, headers=again), 409, "evidence_of_other")
    anew = attached(api, visit).get_json()
    assert (anew["data"]["household"], said["data"]["household"]) == (other, household)
    assert api.get(f"evidence/{anew['id']}/file").status_code == 200


def test_a_voided_record_takes_no_photo(api: Api, visit: str) -> None:
    path = f"visits/{visit.partition('/')[2]}/entries/1"
    gone = api.call("DELETE", path, {"reason": "没有去"}, headers={"If-Match": '"1"'})
    assert gone.status_code == 201, gone.text
    refusal_of(attached(api, visit), 409, "evidence_of_voided")
    assert not (api.services.settings.home / "evidence").exists()


# ---- who sees it, and for how long ----


def test_who_may_not_see_names_sees_no_photo_and_who_does_is_in_the_log(api: Api, visit: str) -> None:
    said = attached(api, visit).get_json()
    file = f"evidence/{said['id']}/file"
    refusal_of(api.get(file, role="reviewer"), 403, "evidence_closed")
    api.get(file, role="supervisor")
    [row] = [r for r in api.get("access-log", role="lead").get_json()["items"]
             if r["action"] == "export"]
    assert (row["actor"], row["route"]) == ("supervisor-1", "/api/v1/evidence/<subject>/file")
    assert said["id"] in {subject["id"] for subject in row["subjects"]}


def test_who_may_not_see_names_sees_no_sign_in_sheet_of_the_station_either(api: Api) -> None:
    meeting = {"occurred_on": "2024-11-05", "title": "例会", "kind": "work"}
    record = f"meeting/{api.recorded('meetings', meeting)['id']}"
    path = f"evidence/{attached(api, record, said={'caption': '例会签到'}).get_json()['id']}"
    for part in ("file", "thumbnail"):
        refusal_of(api.get(f"{path}/{part}", role="reviewer"), 403, "evidence_closed")
        assert api.get(f"{path}/{part}", role="supervisor").status_code == 200
    # that there is one, and what it is called, is about the station's work
    [entry] = api.get(path, role="reviewer").get_json()["entries"]
    assert entry["data"]["caption"] == "例会签到"
    assert "已隐去" in entry["data"]["file_key"]


def test_a_file_that_no_event_names_is_gone_after_a_day(api: Api, visit: str) -> None:
    kept = stored(api, attached(api, visit))  # which the read models do not know yet
    unnamed = kept.parent.parent / "ff" / ("f" * 64)
    unnamed.parent.mkdir()
    unnamed.write_bytes(b"sealed")
    half = kept.parent / ".half"
    half.write_bytes(b"sea")
    own = api.services

    def dropped(days: int) -> int:
        then = now() + timedelta(days=days)
        return drop_unnamed(own.settings, own.ledger, own.read_models, then)

    assert dropped(0) == 0
    assert unnamed.exists()
    assert dropped(2) == 2
    assert kept.exists()
    assert not unnamed.exists()
    # and the read models know it as well
    api.project()
    assert dropped(2) == 0
    assert kept.exists()


def test_an_erased_person_s_photos_are_gone_from_the_disk_and_for_ever(
    api: Api, visit: str, household: str
) -> None:
    answer = attached(api, visit)
    api.project()
    file = stored(api, answer)
    assert file.exists()
    asked = {"occurred_on": "2024-11-06", "ground": "request", "household": household, "person": "p1"}
    erasure = api.recorded("erasures", asked)["id"]
    agreed = {"occurred_on": "2024-11-06"}
    api.recorded(f"erasures/{erasure}/approval", agreed, role="lead")
    assert not file.exists()
    path = f"evidence/{answer.get_json()['id']}"
    assert "已删除" in refusal_of(api.get(f"{path}/file"), 403, "evidence_closed")["detail"]
    assert api.get(path).get_json()["entries"][0]["data"]["digest"] == "（已删除）"


def test_a_file_that_was_altered_or_lost_is_said_to_be(api: Api, visit: str) -> None:
    answer = attached(api, visit)
    path, file = f"evidence/{answer.get_json()['id']}/file", stored(api, answer)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    refusal_of(api.get(path), 409, "evidence_altered")
    file.unlink()
    refusal_of(api.get(path), 404, "evidence_missing")


def test_the_verification_names_files_that_are_missing_or_altered_and_stops_no_sealing(
    api: Api, visit: str, household: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = api.services.settings
    monkeypatch.setenv("TAIZHANG_HOME", str(own.home))
    here = runtime.start(own)
    # given three photos, of which one goes with its person
    gone = attached(api, visit)
    api.project()
    asked = {"occurred_on": "2024-11-06", "ground": "request", "household": household, "person": "p1"}
    erasure = api.recorded("erasures", asked)["id"]
    api.recorded(f"erasures/{erasure}/approval", {"occurred_on": "2024-11-06"}, role="lead")
    assert not stored(api, gone).exists()
    meeting = a_meeting(api)
    one, other = (
        stored(api, attached(api, meeting, a_photo(color=color)))
        for color in ("teal", "navy")
    )
    while here.sealer.seal(now()):
        pass

    def verified() -> tuple[list[str], str | None]:
        result = CliRunner().invoke(main, ["verify", "--json"])
        files = json.loads(result.stdout)["files"]
        assert result.exit_code == int(bool(files["faults"]))
        assert files["events"] == 3
        verify()  # as it is done every day
        wrong = verdicts.alarm(own.home, verdicts.EVIDENCE)
        assert api.call("GET", "operations", role="lead").get_json()["evidence_alarm"] == wrong
        return [fault["code"] for fault in files["faults"]], wrong

    # then what was erased is rightly not there
    assert verified() == ([], None)
    # when one is altered and the other lost, then both are named
    whole = one.read_bytes()
    one.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    other_whole = other.read_bytes()
    other.unlink()
    codes, wrong = verified()
    assert codes == ["evidence_altered", "evidence_missing"]
    assert one.name in str(wrong)
    assert "佐证文件有缺失或改动" in api.browser("lead").get("/operations").text
    # and the log goes on being sealed
    assert here.sealer.kept_state().alarm is None
    # when they were restored, the alarm ends with the next verification, within the hour
    one.write_bytes(whole)
    other.write_bytes(other_whole)
    verify()
    assert verified() == ([], None)
    here.close()


def test_an_alarm_of_a_file_stands_while_the_log_cannot_be_verified(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = api.services.settings
    monkeypatch.setenv("TAIZHANG_HOME", str(own.home))
    here = runtime.start(own)
    # given a photo that was lost, which the daily verification found
    photo = stored(api, attached(api, a_meeting(api)))
    whole = photo.read_bytes()
    while here.sealer.seal(now()):
        pass
    photo.unlink()
    verify()
    wrong = verdicts.alarm(own.home, verdicts.EVIDENCE)
    assert photo.name in str(wrong)
    # when the note of the checkpoint is damaged, so that no file is looked at
    note = own.noted_file.read_bytes()
    own.noted_file.write_text("damaged\n")
    verify()
    # then that is said as well, and the photo is still missing
    assert str(own.noted_file) in str(verdicts.alarm(own.home, verdicts.VERIFICATION))
    assert verdicts.alarm(own.home, verdicts.EVIDENCE) == wrong
    # and both end once both are there again
    own.noted_file.write_bytes(note)
    photo.write_bytes(whole)
    verify()
    assert {verdicts.alarm(own.home, of) for of in (verdicts.VERIFICATION, verdicts.EVIDENCE)} == {None}
    here.close()


def test_a_restored_installation_shows_the_photo(api: Api, visit: str, tmp_path: Any) -> None:
    answer = attached(api, visit)
    own = api.services.settings
    backup(own, tmp_path / "b.zip", now())
    there = settings_for(tmp_path / "new", master_key_file=own.master_key_file)
    there.prepare_home()
    restore(there, tmp_path / "b.zip", lambda: None)
    name = answer.get_json()["data"]["file"]
    assert evidence_file(there, name).read_bytes() == stored(api, answer).read_bytes()


def test_a_restore_names_the_photos_that_the_backup_lacked(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = api.services.settings
    monkeypatch.setenv("TAIZHANG_HOME", str(own.home))
    here = runtime.start(own)
    lost, whole = (stored(api, attached(api, a_meeting(api), a_photo(color=c))) for c in ("teal", "navy"))
    while here.sealer.seal(now()):
        pass
    content = lost.read_bytes()
    lost.unlink()
    backup(own, tmp_path / "b.zip", now())
    here.close()

    def there(name: str) -> Settings:
        return settings_for(tmp_path / name, master_key_file=own.master_key_file)

    def restored(name: str, *options: str) -> Result:
        target = there(name)
        target.prepare_home()
        (target.home / "sealing.key").write_bytes((own.home / "sealing.key").read_bytes())
        command = ["restore", str(tmp_path / "b.zip"), *options]
        return CliRunner().invoke(main, command, env=target.environment())

    said = restored("said")
    assert said.exit_code == 1
    assert "已恢复" in said.output
    assert lost.name in said.output
    assert whole.name not in said.output
    told = restored("told", "--json")
    files = json.loads(told.stdout)["files"]
    assert (told.exit_code, files["events"]) == (1, 2)
    assert [fault["code"] for fault in files["faults"]] == ["evidence_missing"]
    # and with the photo put back nothing is amiss
    put_back = evidence_file(there("said"), lost.name)
    put_back.parent.mkdir(exist_ok=True)
    put_back.write_bytes(content)
    assert CliRunner().invoke(main, ["verify"], env=there("said").environment()).exit_code == 0


# ---- on the pages ----


def test_a_photo_comes_with_the_quick_form_and_stands_on_the_record_s_page(
    api: Api, household: str
) -> None:
    api.project()
    browser = api.browser("social_worker")
    path = f"/record/visit.recorded?household={household}"
    said = {"occurred_on": "2024-11-05", "mode": "home", "purpose": "follow_up", "outcome": "met",
            "persons_met": "1", "evidence_caption": "入户"}
    head = api.head()
    # a file that is no photo is refused at its field, and nothing is recorded
    form = form_of(browser.get(path), **said)
    wrong = browser.post("/record/visit.recorded", data=form | {"evidence_file": (io.BytesIO(b"GIF8"), "a.jpg")})
    assert wrong.status_code == 422
    assert 'id="wrong-evidence_file"' in wrong.text
    assert api.head() == head
    # with a photo both are recorded, once, however often the form is sent
    for _ in range(2):
        photo = {"evidence_photo": (io.BytesIO(a_photo()), "IMG.jpg")}
        assert browser.post("/record/visit.recorded", data=form | photo).status_code == 303
    assert api.head() == head + 2
    api.project()
    [row] = api.get("evidence").get_json()["items"]
    [visit] = api.get("visits").get_json()["items"]
    page = browser.get(f"/records/visit/{visit['id']}")
    assert f"/api/v1/evidence/{row['id']}/thumbnail" in page.text
    assert "照片：入户" in page.text
    assert browser.get(f"/api/v1/evidence/{row['id']}/thumbnail").mimetype == "image/jpeg"


def test_a_photo_of_who_may_not_attach_is_refused_before_anything_is_recorded(api: Api) -> None:
    browser, path = api.browser("supervisor"), "/record/supervision.received"
    said = {"occurred_on": "2024-11-05", "supervisor": "外聘督导", "kind": "group", "mode": "on_site"}
    form, head = form_of(browser.get(path), **said), api.head()
    photo = {"evidence_photo": (io.BytesIO(a_photo()), "IMG.jpg")}
    assert browser.post(path, data=form | photo).status_code == 403
    assert api.head() == head
    done = browser.post(path, data=form)
    assert done.status_code == 303, done.text
    assert api.head() == head + 1


def test_a_photo_is_added_to_a_record_and_what_it_is_called_corrected(api: Api, visit: str) -> None:
    browser = api.browser("social_worker")
    form = form_of(browser.get(f"/records/{visit}/evidence"))
    empty = browser.post(f"/records/{visit}/evidence", data=form)
    assert empty.status_code == 422
    assert "请先拍照" in empty.text
    paper = {"evidence_file": (io.BytesIO(a_paper()), "a.pdf"), "evidence_kind": "sign_in_sheet"}
    done = browser.post(f"/records/{visit}/evidence", data=form | paper)
    assert done.status_code == 303, done.text
    api.project()
    assert "签到表" in browser.get(done.location).text
    [row] = api.get("evidence").get_json()["items"]
    page = browser.get(f"/records/evidence/{row['id']}/entries/1/correct")
    assert "（不显示）" not in page.text
    again = browser.post(f"/records/evidence/{row['id']}/entries/1/correct", data=form_of(
        page, caption="十一月签到", reason="补说明",
    ))
    assert again.status_code == 303, again.text
    assert api.get(f"evidence/{row['id']}/file").status_code == 200

"""The support browser: every fact is in it, and a real browser shows, searches and opens it from a file."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from edgecheck.cli import main
from edgecheck.reports import support
from edgecheck.tables import bundle, devices
from edgecheck.tables.optable import every_limit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("support") / "support.html"
    assert main(["ops", "--html", str(path)]) == 0
    return path


def held(page):
    packed = re.search(r'id="data">([^<]*)<', page.read_text("utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def test_every_target_op_and_limit_is_there(page):
    data = held(page)
    tables = {name: bundle.load(name) for name in bundle.targets()}
    assert [one["id"] for one in data["targets"]] == list(tables)
    assert [one["id"] for one in data["devices"]] == [one.id for one in devices.every()]
    for name, table in tables.items():
        assert list(data["ops"][name]) == table.ops
        shown = sum(len(one.get("l", ())) for entries in data["ops"][name].values() for one in entries)
        assert shown == sum(entry is not None for entry, _ in every_limit(table))


def test_every_fact_shows_its_evidence(page):
    data = held(page)
    strings = data["strings"]
    for entries in (one for ops in data["ops"].values() for one in ops.values()):
        for entry in entries:
            assert entry["s"] or (entry.get("l") and all(limit["s"] for limit in entry["l"]))
            assert all(strings[i] for limit in entry.get("l", ()) for i in limit["s"])


def test_every_point_of_an_axis_has_its_place(page):
    order = {name: tuple(numbers) for name, numbers in held(page)["order"].items()}
    for name in bundle.targets():
        points = bundle.load(name).versions
        assert [order[one] for one in points] == sorted(order[one] for one in points), name
    assert order["2.13"] < order["2.21"] < order["litert-1.0"] < order["litert-2.3"]


def test_no_server_and_no_other_file_is_needed(page):
    text = page.read_text("utf-8")
    assert not re.search(r'(src|href)="?https?:', text)
    assert "@import" not in text


def test_texts_cannot_leave_their_place():
    """What a table says is data for the script, never markup."""
    source = (support.Path(support.__file__).with_name("support.js")).read_text("utf-8")
    assert "innerHTML" not in source
    assert "document.write" not in source


def shown(page, address, tmp_path):
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000", "--dump-dom", f"{page.as_uri()}#{address}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return unescape(done.stdout)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_real_browser_opens_a_cell_and_its_facts(page, tmp_path):
    text = shown(page, "tflite/ethos-u55/ARG_MAX", tmp_path)
    assert 'data-ready="yes"' in text
    assert re.search(r'class="cell some chosen"[^>]*data-op="ARG_MAX" data-target="ethos-u55"', text)
    assert "SUPPORTED_OPS.md" in text
    assert "edgecheck ops ethos-u55 'ARG_MAX'" in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_real_browser_judges_an_axis_that_was_renamed_at_its_newest_point(page, tmp_path):
    text = shown(page, "tflite/litert-cpu/BITCAST", tmp_path)  # since 2.13; the newest is litert-2.3
    assert re.search(r'class="cell some chosen"[^>]*data-op="BITCAST" data-target="litert-cpu"', text)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_real_browser_searches(page, tmp_path):
    text = shown(page, "onnx?conv%20int", tmp_path)
    assert set(re.findall(r'<th scope="row">([^<]*)<', text)) == {"ConvInteger"}
    assert 'data-target="ort-cpu"' in text
    assert 'data-target="ethos-u55"' not in text

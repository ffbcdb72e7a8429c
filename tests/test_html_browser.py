"""The HTML report in a real browser: it shows what was found, opens its parts, and runs nothing of a hostile file."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from edgecheck.cli import main
from golden_toy import at, pipeline, record

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

#: A script that would change the page and write to the console, as the name of an operator and of a node.
EVIL = "</title></svg><img src=x onerror=\"document.title='owned';console.error('owned')\">"


class Page(HTMLParser):
    """Elements by name, and the words outside style."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words: list[str] = []
        self.title = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] != ["style"]:
            self.words.append(data)
        if self.elements[-1:] == ["title"] and not self.title:
            self.title = data


def model(path: Path, operator: str, name: str) -> Path:
    ends = [[helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 4])] for end in ("x", "y")]
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node(operator, ["h"], ["y"], name=name)]
    graph = helper.make_graph(nodes, "g", *ends)
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    return path


def shown(page: Path, profile: Path) -> tuple[Page, str]:
    """The document as the browser has it after loading, and what it wrote to its console."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
         "--enable-logging=stderr", "--log-level=0", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1000:]
    parsed = Page()
    parsed.feed(done.stdout)
    return parsed, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize(("operator", "name"), [("Tanh", "last"), (EVIL, EVIL)])
def test_the_report_opens_in_a_browser(operator, name, tmp_path):
    page = tmp_path / "report.html"
    main(["check", str(model(tmp_path / "m.onnx", operator, name)), "--target", "ort-cpu",
          "--output-format", "html", "--output-file", str(page)])  # fmt: skip
    found, console = shown(page, tmp_path / "profile")
    words = " ".join(found.words)
    assert console == ""
    assert found.title == "edgecheck: m.onnx"
    assert not {"script", "img", "iframe", "link"} & set(found.elements)
    assert {"svg", "table", "details", "summary"} <= set(found.elements)
    assert "2 operators" in words
    assert "ort-cpu@" in words
    assert operator in words


def test_a_broken_page_would_be_seen(tmp_path):
    """The console is really read: a page whose script fails says so there."""
    page = tmp_path / "broken.html"
    page.write_text("<!doctype html><title>t</title><script>nothing.at.all()</script>")
    found, console = shown(page, tmp_path / "profile")
    assert "nothing is not defined" in console
    assert "script" in found.elements


def test_the_page_of_a_comparison_shows_its_pictures(tmp_path):
    """Both sides of the tensor that differs, the difference and its histogram are there, and the images are drawn."""
    run = record(tmp_path / "run", at("preprocess", "input", lambda value: value * 0.5))
    page = tmp_path / "compared.html"
    source = str(pipeline(tmp_path))
    assert main(["compare", str(run), "--pipeline", source, "--output-format", "html", "--output-file", str(page)]) == 1
    probe = (
        "<script>addEventListener('load', () => { document.title = [...document.images]"
        ".filter(one => one.naturalWidth > 1 && one.width > 1 && one.height > 1).length + ' drawn'; })</script>"
    )
    text = page.read_text("utf-8")
    assert "<script" not in text
    page.write_text(text.replace("</main>", f"</main>{probe}"), "utf-8")
    found, console = shown(page, tmp_path / "profile")
    words = " ".join(found.words)
    assert console == ""
    assert found.elements.count("img") >= 4
    assert {"svg", "figure", "details", "table"} <= set(found.elements)
    assert f"{found.elements.count('img')} drawn" in words or "drawn" in found.title
    assert "input on the device" in words
    assert "EC402" in words

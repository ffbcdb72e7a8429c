"""devices.toml: what is in it holds, and what is wrong in one is said with its place."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from edgecheck.check import point
from edgecheck.cli import main
from edgecheck.errors import EdgecheckError
from edgecheck.tables import bundle, devices
from edgecheck.tables.devices import DeviceTarget

FILE = Path(__file__).parents[1] / "op_tables" / "devices.toml"
HEAD = """\
[source.s]
repo = "a/b"
commit = "0123456789abcdef"
seen = 2026-11-21
"""
GOOD = """\
[[device]]
id = "d"
title = "D"
kind = "board"
targets = ["ort-cpu@1.24"]
source = ["s:x.dts:3"]
"""


def parsed(text):
    return devices.parse(tomllib.loads(text), where="t.toml")


def test_at_least_eighty_of_every_kind_and_every_target_is_on_one():
    found = devices.every()
    assert len(found) >= 80
    assert {device.kind for device in found} == set(devices.KINDS)
    assert list(devices.lint(found, bundle.targets(), devices.unoffered())) == []


def test_the_lint_asks_for_a_device_or_a_reason():
    found = parsed(HEAD + GOOD)
    assert list(devices.lint(found, ["ort-cpu"], {})) == []
    assert list(devices.lint(found, ["ort-cpu", "tflm"], {})) == [
        "devices.toml: no device offers tflm, and [unoffered] does not say why"
    ]
    assert list(devices.lint(found, ["ort-cpu", "tflm"], {"tflm": "nobody has one"})) == []
    assert list(devices.lint(found, ["ort-cpu"], {"ort-cpu": "nobody has one", "gone": "it went"})) == [
        "devices.toml: [unoffered] names gone, but there is no such target",
        "devices.toml: [unoffered] names ort-cpu, but a device offers it",
    ]


@pytest.mark.parametrize("device", devices.every(), ids=lambda device: device.id)
def test_targets_versions_and_settings_are_bundled(device):
    for one in device.targets:
        made = point(bundle.load(one.id), one.version, one.settings)
        assert made.table.id == one.id
    assert device.source
    assert all(":" in source for source in device.source)
    assert device.targets


def test_sources_say_when_they_were_seen_and_all_are_used():
    document = tomllib.loads(FILE.read_text("utf-8"))
    holders = [*document["device"], *document["kit"].values()]
    used = {reference.partition(":")[0] for holder in holders for reference in holder["source"]}
    assert used == set(document["source"])
    for source in document["source"].values():
        assert "seen" in source
        assert source.keys() & {"repo", "url", "package"}


def test_every_kit_is_in_use_and_no_phone_has_two_chips():
    document = tomllib.loads(FILE.read_text("utf-8"))
    used = [kit for device in document["device"] for kit in device.get("kits", ())]
    assert set(used) == set(document["kit"])
    for device in document["device"]:
        chips = [kit for kit in device.get("kits", ()) if kit.startswith(("qualcomm-", "tensor-", "nnapi-"))]
        assert len({kit.partition("-")[0] for kit in chips}) == len(chips), device["id"]


@pytest.mark.parametrize(
    ("device", "target"),
    [
        ("pixel-8", "litert-google-tensor (soc=Tensor_G3)"),
        ("pixel-3", "nnapi@31"),
        ("galaxy-s23", "litert-qualcomm (soc=SM8550)"),
        ("jetson-nano", "tensorrt@8.2"),
        ("beaglebone-ai-64", "tidl (soc=AM68PA)"),
        ("luckfox-pico", "rknn-rv1103"),
        ("iphone-11", "coreml@26"),
        ("esp32-p4-function-ev", "esp-dl (chip=esp32p4)"),
        ("raspberry-pi-ai-camera", "imx500"),
        ("core-ultra-series-2-laptop", "litert-intel-npu (soc=LNL)"),
    ],
)
def test_what_some_offer(device, target):
    assert target in [offer.name for offer in devices.get(device).targets]


def test_a_phone_whose_android_no_source_names_offers_no_nnapi():
    offered = {offer.id for offer in devices.get("xiaomi-13").targets}
    assert not offered & {"nnapi", "ort-nnapi"}


def test_a_kit_brings_its_targets_sources_and_note():
    kit = '[kit.k]\ntargets = ["tflm", "ort-cpu@1.24"]\nsource = ["s:y.md"]\nnote = "so it is"\n'
    (device,) = parsed(HEAD + kit + GOOD + 'kits = ["k"]\nnote = "its own"\n')
    assert [offer.name for offer in device.targets] == ["ort-cpu@1.24", "tflm"]
    assert device.source == ("a/b@0123456789: x.dts:3", "a/b@0123456789: y.md")
    assert device.notes == ("its own", "so it is")


def test_a_line_of_a_source_that_is_a_file():
    head = HEAD + 'path = "list.yaml"\n'
    assert parsed(head + GOOD.replace("s:x.dts:3", "s:17"))[0].source == ("a/b@0123456789: list.yaml:17",)


def test_a_device_as_it_is_read():
    (device,) = parsed(HEAD + GOOD)
    assert device.targets == (DeviceTarget(id="ort-cpu", version="1.24", settings={}),)
    assert device.source == ("a/b@0123456789: x.dts:3",)
    assert (device.os, device.chip, device.notes) == (None, None, ())


def test_a_target_with_settings_has_a_name():
    text = HEAD + GOOD.replace('"ort-cpu@1.24"', '{ id = "ethos-u55", settings = { config = "ethos-u55-64" } }')
    assert parsed(text)[0].targets[0].name == "ethos-u55 (config=ethos-u55-64)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            HEAD + GOOD + 'colour = "red"\n',
            "t.toml: Unexpected key 'device[0].colour'; known: chip, id, kind, kits, note, os",
        ),
        (HEAD + GOOD.replace('title = "D"', "title = 3"), "Unexpected type int (expected str) in 'device[0].title'"),
        (HEAD + GOOD.replace('title = "D"\n', ""), "'device[0].title' is missing"),
        (HEAD + GOOD.replace("board", "toaster"), "'device[0].kind' is 'toaster'; must be one of phone, tablet, board"),
        (HEAD + GOOD.replace('"ort-cpu@1.24"', "3"), "Unexpected type int (expected table) in 'device[0].targets[0]'"),
        (HEAD + GOOD.replace('"ort-cpu@1.24"', '{ version = "1" }'), "'device[0].targets[0].id' is missing"),
        (HEAD + GOOD.replace('"ort-cpu@1.24"', '{ id = "x", os = "y" }'), "Unexpected key 'device[0].targets[0].os'"),
        (HEAD + GOOD.replace("s:x", "z:x"), "'device[0].source' names 'z:x.dts:3', and there is no [source.z]"),
        (HEAD + GOOD + GOOD, "the device 'd' stands there twice"),
        (HEAD + "[wrong]\n", "Unexpected key 'wrong'; known: device, kit, source, unoffered"),
        (HEAD + GOOD + 'kits = ["k"]\n', "'device[0].kits' names 'k', and there is no [kit.k]"),
        (HEAD + '[kit.k]\ntargets = ["tflm"]\n', "'kit.k.source' is missing"),
        (HEAD + '[kit.k]\ntargets = []\nsource = ["s"]\n', "'kit.k.targets' is missing"),
        (HEAD + '[kit.k]\ntargets = ["x"]\nsource = ["z:1"]\n', "'kit.k.source' names 'z:1'"),
        (HEAD + '[kit.k]\ntargets = ["x"]\nsource = ["s"]\nos = "y"\n', "Unexpected key 'kit.k.os'"),
        (HEAD + GOOD.replace('targets = ["ort-cpu@1.24"]\n', ""), "'device[0]' offers no target, neither its own nor"),
        (HEAD + 'colour = "red"\n' + GOOD, "Unexpected key 'source.s.colour'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, sentence):
    with pytest.raises(EdgecheckError) as error:
        parsed(text)
    assert sentence in str(error.value)


def test_a_device_that_is_not_there_names_the_near_misses():
    with pytest.raises(EdgecheckError) as error:
        devices.get("pixel-88")
    assert str(error.value) == "there is no device 'pixel-88'"
    assert "pixel-8" in (error.value.help or "")


def printed(capsys, *arguments):
    assert main(["devices", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_is_by_kind(capsys):
    lines = printed(capsys).splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert [head.partition(" (")[0] for head in heads] == [
        "phones",
        "tablets",
        "boards",
        "microcontrollers",
        "desktops and laptops",
        "browsers",
    ]
    assert len(lines) - len(heads) == len(devices.every())


def test_one_device_with_what_its_tables_hold(capsys):
    text = printed(capsys, "pixel-8")
    assert "chip    Google Tensor G3" in text
    table = bundle.load("litert-gpu")
    (row,) = [line for line in text.splitlines() if line.split()[:1] == ["litert-gpu"]]
    assert f"{len(table.raw_ops)} ops" in row
    assert f"{table.facts} facts" in row
    assert table.title in row
    assert "source  LineageOS/lineage_wiki@e61c5fa25d: _data/devices/shiba.yml:" in text


def test_those_that_offer_a_target(capsys):
    text = printed(capsys, "--target", "rknn-rk3588")
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["orange-pi-5", "rock-5b"]
    assert "ethos-u55 (config=ethos-u55-64)" in printed(capsys, "--target", "ethos-u55", "--kind", "mcu")


def test_the_list_as_json(capsys, tmp_path):
    document = json.loads(printed(capsys, "--output-format", "json"))
    assert document["schema"] == "edgecheck.devices/1"
    assert [one["id"] for one in document["devices"]] == [device.id for device in devices.every()]
    out = tmp_path / "one.json"
    assert printed(capsys, "jetson-nano", "--output-format", "json", "--output-file", str(out)) == ""
    (one,) = json.loads(out.read_text("utf-8"))["devices"]
    (offer,) = [offer for offer in one["targets"] if offer["target"] == "tensorrt"]
    assert offer["version"] == "8.2"
    assert offer["format"] == "onnx"
    assert offer["ops"] == len(bundle.load("tensorrt").raw_ops)
    assert one["sources"]
    assert one["notes"]


@pytest.mark.parametrize(
    ("arguments", "sentence", "help"),
    [
        (["pixl-8"], "there is no device 'pixl-8'", "did you mean pixel-8"),
        (["--target", "ethos-u56"], "there is no target 'ethos-u56'", "did you mean ethos-u"),
        (["--kind", "phones"], "there is no kind 'phones'", "did you mean phone?"),
        (["--kind", "fridge"], "there is no kind 'fridge'", "one of phone, tablet, board"),
        (["pixel-8", "--kind", "mcu"], "pixel-8 is a phone, not a mcu", ""),
        (["pixel-8", "--target", "tflm"], "pixel-8 does not offer tflm", "edgecheck devices pixel-8"),
    ],
)
def test_what_is_asked_wrongly_is_answered_in_a_sentence(capsys, arguments, sentence, help):
    assert main(["devices", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert help in error

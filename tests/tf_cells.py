"""Run in a framework's environment: sources through ladder, runtime and proof in one process. JSON in by argument, JSON out.

A cell is {"source", "format", "options", "signature", "framework"}; without a format the source is only loaded.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]

from edgecheck import interface, ladder, proof, reference, sources, trial  # noqa: E402
from edgecheck.cases import Case  # noqa: E402
from edgecheck.errors import EdgecheckError  # noqa: E402
from edgecheck.exporters import Dynamic, ExportRequest, InputOption, InputSpec, Signature  # noqa: E402

RUNTIMES = {"onnx": "onnxruntime", "tflite": "litert", "coreml": "coreml_reference"}
measured = {}


def request(cell, format):
    options = [
        InputOption(name=o["name"], shape=tuple(o["shape"]) if "shape" in o else None,
                    dynamic=tuple(Dynamic(axis=a, low=low, high=high) for a, low, high in o.get("dynamic", ())))
        for o in cell.get("options", ())
    ]  # fmt: skip
    source = sources.find(cell["source"], cell.get("framework", "tf"))
    return ExportRequest(source=source, format=format, inputs=tuple(options), signature=cell.get("signature"))


def run(cell):
    key = json.dumps({k: v for k, v in cell.items() if k != "format"}, sort_keys=True)
    try:
        if key not in measured:
            measured[key] = reference.measure(request(cell, cell.get("format") or "onnx"))
        return prove(cell, measured[key]) if cell.get("format") else facts(measured[key])
    except EdgecheckError as error:
        return {"error": str(error), "help": error.help, "code": error.code}


def facts(found):
    signature = found["signature"]
    return {
        "inputs": [(spec.name, list(spec.shape), spec.dtype) for spec in signature.inputs],
        "outputs": [spec.name for spec in signature.outputs],
        "notes": found["notes"], "skipped": found["skipped"], "parameters": found["parameters"],
    }  # fmt: skip


def prove(cell, found):
    asked = request(cell, cell["format"])
    exporter = f"{asked.source.framework}_{cell['format']}"
    plugin = importlib.import_module(f"edgecheck.exporters.{exporter}")
    remaining, attempts, result = ladder.names(exporter), [], {}
    while remaining:
        with tempfile.TemporaryDirectory() as folder:
            step = ladder.climb(exporter, asked, remaining, Path(folder), found["fingerprint"])
            attempts += [(a.rung, a.message) for a in step["attempts"]]
            if step["rung"] is None:
                break
            rung = next(r for r in plugin.RUNGS if r.name == step["rung"])
            result = judge(cell, found, step["exported"], rung)
        if result["state"] != "not proven":
            break
        attempts.append((rung.name, result["reason"]))
        remaining = remaining[remaining.index(rung.name) + 1 :]
    return {**facts(found), **result, "attempts": attempts}


def judge(cell, found, exported, rung):
    signature = found["signature"]
    if rung.fixes:
        inputs = tuple(InputSpec(name=s.name, shape=s.shape, dtype=s.dtype) for s in signature.inputs)
        signature = Signature(inputs=inputs, outputs=signature.outputs)
    shapes = {spec.name: spec.shape for spec in signature.inputs}
    pairs = [
        (Case(**case), output) for case, output in zip(found["cases"], found["outputs"])
        if not rung.fixes or all(v.shape == shapes[n] for n, v in case["inputs"].items())
    ]  # fmt: skip
    tried = trial.run(
        RUNTIMES[cell["format"]], exported.artefact, [c.inputs for c, _ in pairs], exported.input_names,
        [spec.name for spec in signature.outputs], exported.output_names,
    )  # fmt: skip
    distances = proof.compare([c for c, _ in pairs], [o for _, o in pairs], tried["outputs"])
    verdict = proof.judge(distances, proof.TOLERANCES["fp32"])
    wrong = interface.differences(
        signature, tried["interface"], cell["format"], names=(exported.input_names, exported.output_names)
    )
    return {
        "rung": rung.name, "state": verdict.state, "reason": verdict.reason, "wrong": wrong,
        "places": sorted(set(exported.places.values())), "worst": proof.worst(distances, typical_only=True),
        "cases": [case.name for case, _ in pairs],
    }  # fmt: skip


def main():
    logging.disable(logging.WARNING)
    job = json.loads(Path(sys.argv[1]).read_text())
    models = importlib.import_module("tf_models")
    folder = Path(job["folder"])
    models.write_files(folder)
    results = {name: run(cell) for name, cell in job["cells"].items()}
    taps = reference.taps(request({"source": str(folder / "gru.keras")}, "onnx"), measured_inputs(folder))
    results["taps"] = [(tap.op, tap.place) for tap in taps]
    (folder / "results.json").write_text(json.dumps(results))


def measured_inputs(folder):
    key = json.dumps({"source": str(folder / "gru.keras")}, sort_keys=True)
    return measured[key]["cases"][0]["inputs"]


if __name__ == "__main__":
    main()

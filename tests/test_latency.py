"""The latency verdict on both sides of every rule, on the stored launches, and on a measuring program that misbehaves."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.errors import EdgecheckError
from edgecheck.golden.budget import parse
from edgecheck.golden.comparable import FACTS, NEEDED, differences, spelled, throttled
from edgecheck.golden.latency import against, answer_of, compare, hold, judge, spans
from edgecheck.golden.launches import Plan, launch, turns
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder
from edgecheck.golden.resampling import chance
from edgecheck.golden.timing import DeviceTiming, Samples, quantile, ratio, timing

ROOT = Path(__file__).parents[1]
STORED = ROOT / "golden" / "latency"
PHONE = {
    "model": {"name": "face.tflite", "sha256": "ab" * 32, "format": "tflite", "input": "1x128x128x3 float32"},
    "device": {"model": "Pixel 8", "chip": "Tensor G3", "os": "Android 15"},
    "runtime": {"name": "litert", "version": "2.3.0", "delegate_asked": "gpu", "delegate_applied": "gpu",
                "precision": "fp16", "threads": 4},
    "conditions": {"power": "battery", "governor": "schedutil", "thermal_before": "nominal", "thermal_after": "none"},
}  # fmt: skip
HOST = {
    "device": {"model": "a server", "kind": "host"},
    "runtime": {**PHONE["runtime"], "threads": 1, "delegate_asked": "cpu", "delegate_applied": "cpu"},
}


def facts(**changed) -> dict:
    """PHONE with other facts: `facts(runtime={"threads": 1})` changes, None removes."""
    made = {section: dict(PHONE[section]) for section in PHONE}
    for section, values in changed.items():
        made[section] |= values
        made[section] = {key: value for key, value in made[section].items() if value is not None}
    return made


def samples(launches=12, count=60, middle=10e6, unrest=0.01, spread=0.02, seed=0) -> list[numpy.ndarray]:
    """Nanoseconds: launches lie apart by `unrest`, samples of one by `spread`, one in twenty is twice as slow."""
    random = numpy.random.default_rng(seed)
    found = []
    for _ in range(launches):
        values = middle * numpy.exp(random.normal(0, unrest) + random.normal(0, spread, count))
        values[random.random(count) < 0.05] *= 2
        found.append(values.astype(int))
    return found


@pytest.fixture
def record(tmp_path):
    made = iter(range(1000))

    def _record(spans_of=None, names=None, **changed):
        folder = tmp_path / f"run-{next(made)}"
        recorder = Recorder(str(folder), "face", ["model"], **facts(**changed))
        spans_of = {"model": samples()} if spans_of is None else spans_of
        for i in range(max((len(one) for one in spans_of.values()), default=0)):
            recorder.launch(names[i] if names else f"l{i}", 5)
            for span, launches in spans_of.items():
                for value in launches[i] if i < len(launches) else ():
                    recorder.sample(span, int(value))
        assert recorder.finish(), recorder.error
        return read(folder)

    return _record


def rules(findings) -> list[str]:
    return [one.rule for one in findings]


# A run against a budget


@pytest.mark.parametrize(
    ("budget", "answer", "expected"),
    [
        ("median model <= 11 ms on pixel-8", "within", []),
        ("median model <= 9 ms on Pixel 8", "over", ["EC501"]),
        ("median <= 10 ms", "cannot tell", ["EC952"]),
        ("p90 <= 30 ms", "within", []),
        ("p99 <= 12 ms", "over", ["EC501"]),
        ("p99.9 <= 30 ms", "cannot tell", ["EC952"]),
        ("median <= 11 ms on pixel-7", "not comparable", ["EC951"]),
        ("median decode <= 11 ms", "not comparable", ["EC951"]),
        ("median <= 11 ms on host", "not comparable", ["EC951"]),
    ],
)
def test_a_run_against_a_budget(record, budget, answer, expected):
    held = hold(record(), parse(budget))
    assert (held.answer, rules(held.findings)) == (answer, expected)
    assert rules(judge(record(), parse(budget))) == expected


def test_what_the_findings_say(record):
    (over,) = judge(record(), parse("median model <= 9 ms on pixel-8"))
    assert over.severity == "error"
    assert over.device == "Pixel 8"
    assert over.message.startswith("over budget: median model is 10 ms (90% interval ")
    assert over.message.endswith("at most 9 ms is allowed")
    assert over.evidence == ("Pixel 8, 12 launches, 720 samples",)
    assert over.help.startswith("10% less time is needed")
    (device,) = judge(record(), parse("median <= 9 ms on pixel-7"))
    assert device.message == "not comparable with the budget `median <= 9 ms on pixel-7`: it was recorded on Pixel 8"
    (span,) = judge(record(), parse("median decode <= 9 ms"))
    assert span.message.endswith("'decode' was not timed; the run timed model")
    (tail,) = judge(record(), parse("p99.9 <= 30 ms"))
    assert tail.message.endswith("cannot be told: 720 samples, this quantile needs 5,000")


@pytest.mark.parametrize("count", [1, 7, 8])
def test_too_few_launches_are_no_answer(record, count):
    run = record({"model": samples(count)})
    findings = list(judge(run, parse("median <= 20 ms")))
    if count == 8:
        assert findings == []
        return
    (finding,) = findings
    assert finding.undecided
    many = "1 launch" if count == 1 else "7 launches"
    assert f"{many} with samples, at least 8 are needed" in finding.message
    assert finding.help.startswith(f"start the app {8 - count} times more")


def test_how_many_launches_more_would_tell(record):
    """The help's number is right: with that many more, the same budget is told."""
    few = record({"model": samples(8, unrest=0.03)})
    middle = hold(few, parse("median <= 20 ms")).value
    budget = parse(f"median <= {int((middle.estimate + middle.high) / 2)} ns")
    (finding,) = judge(few, budget)
    assert finding.rule == "EC952"
    more = int(finding.help.split()[1])
    assert 8 <= more <= 80
    assert rules(judge(record({"model": samples(8 + 4 * more, unrest=0.03)}), budget)) == []


def test_a_run_without_latency_and_one_of_many_spans(record):
    assert rules(judge(record({}), parse("median <= 9 ms"))) == ["EC951"]
    both = record({"model": samples(), "preprocess": samples(middle=1e6)})
    (finding,) = judge(both, parse("median <= 9 ms"))
    assert finding.message.endswith("it does not say which span; the run timed model, preprocess")
    whole = record({"model": samples(), "end_to_end": samples(middle=12e6)})
    assert hold(whole, parse("median <= 11 ms")).answer == "over", "without a span, a budget is about end_to_end"


def test_the_latency_of_the_host_is_held_against_no_device(record):
    for kind in ("host", "emulated"):
        run = record(device={"model": "Pixel 8", "kind": kind})
        for budget in ("median <= 11 ms on pixel-8", "median <= 11 ms"):
            (finding,) = judge(run, parse(budget))
            assert finding.rule == "EC951"
            assert "its latency is that of no device" in finding.message
        assert hold(run, parse(f"median <= 11 ms on {kind}")).answer == "within"
        (over,) = judge(run, parse(f"median <= 9 ms on {kind}"))
        assert "the latency of no device" in over.evidence[0]


def test_a_busy_machine_gives_no_verdict_that_is_not_sure(record):
    slow = [one * 2 for one in samples()]
    run = record({"model": slow, "model_cpu": samples()}, **HOST)
    assert spans(run) == ("model",)
    (finding,) = judge(run, parse("median <= 15 ms on host"))
    assert finding.rule == "EC952"
    assert "the process waited for a processor (wall time is 2.00 times processor time)" in finding.message
    assert list(judge(run, parse("median <= 25 ms on host"))) == [], "within the budget although it waited"
    gpu = record({"model": slow, "model_cpu": samples()})
    assert rules(judge(gpu, parse("median <= 15 ms"))) == ["EC501"], "waiting for a GPU is no waiting for a processor"


# What a measurement suffered


@pytest.mark.parametrize(
    ("asked", "applied", "found"),
    [
        ("gpu", "gpu", 0),
        ("gpu", "GPU", 0),
        ("none", "cpu", 0),
        (None, "cpu", 0),
        ("gpu", "cpu", 1),
        ("gpu", None, 1),
        ("cpu", "gpu", 1),
    ],
)
def test_a_delegate_that_was_not_applied(record, asked, applied, found):
    run = record(runtime={"delegate_asked": asked, "delegate_applied": applied})
    findings = [one for one in judge(run, parse("median <= 11 ms")) if one.rule == "EC503"]
    assert len(findings) == found
    if found:
        assert findings[0].severity == "error"
        assert findings[0].message.startswith(
            f"the delegate {asked!r} was asked for and {applied or 'not recorded'!r} was applied"
        )


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [("nominal", "nominal", 0), ("nominal", "none", 0), ("nominal", None, 0), ("light", "nominal", 0), ("fair", "light", 0),
     ("nominal", "light", 1), ("moderate", "severe", 1), ("nominal", "sizzling", 1), ("sizzling", "sizzling", 0)],
)  # fmt: skip
def test_a_device_that_became_warmer(record, before, after, found):
    run = record(conditions={"thermal_before": before, "thermal_after": after})
    assert rules(judge(run, parse("median <= 11 ms"))) == ["EC504"] * found
    assert (throttled(run) is not None) == bool(found)


@pytest.mark.parametrize(("factor", "found"), [(1.0, 0), (1.08, 0), (1.2, 1), (0.8, 0)])
def test_a_canary_that_became_slower(record, factor, found):
    drift = numpy.linspace(1, factor, 12)
    canary = [one * by for one, by in zip(samples(middle=3e5, unrest=0.002, seed=6), drift)]
    findings = list(judge(record({"model": samples(), "canary": canary}), parse("median <= 11 ms")))
    assert rules(findings) == ["EC504"] * found
    if found:
        assert "the canary took 1" in findings[0].message
    alone = {"model": samples(), "canary": [canary[0], canary[-1]]}
    assert rules(judge(record(alone), parse("median <= 11 ms"))) == [], "two launches are no trend"


# A run against another


def test_slower_faster_and_the_same(record):
    reference = record()
    for factor, answer, expected in (
        (1.05, "slower", ["EC502"]),
        (1 / 1.05, "faster", []),
        (1.0, "same", []),
        (1.02, "same", []),
    ):
        run = record({"model": [one * factor for one in samples(seed=1)]})
        (found,) = compare(run, reference)
        assert (found.span, found.answer, rules(found.findings)) == ("model", answer, expected), found.ratio
        assert rules(against(run, reference)) == expected


def test_a_slowdown_is_said_with_its_interval(record):
    reference = record()
    run = record({"model": [one * 2 for one in samples(seed=1)]})
    (finding,) = against(run, reference)
    assert finding.severity == "error"
    assert finding.message.startswith("model is slower than the reference: +")
    assert "12 and 12 launches" in finding.message
    assert finding.evidence == (f"reference {reference.folder.as_posix()}",)


def test_what_cannot_be_told_says_what_would_help(record):
    reference = record({"model": samples(8, unrest=0.1)})
    run = record({"model": [one * 1.05 for one in samples(8, unrest=0.1, seed=5)]})
    (finding,) = against(run, reference)
    assert finding.rule == "EC952"
    assert "launches more would tell" in finding.help
    (few,) = against(record({"model": samples(3)}), reference)
    assert "model: cannot be told: 3 launches with samples" in few.message


@pytest.mark.parametrize("name", [f"{section}.{key}" for section, keys in FACTS.items() for key in keys])
def test_every_fact_that_differs_is_named_and_can_be_allowed(record, name):
    section, key = name.split(".")
    run, reference = record(**{section: {key: "host" if name == "device.kind" else "other"}}), record()
    (difference,) = differences(run, reference)
    assert difference.fact == name
    (finding,) = [one for one in against(run, reference) if one.rule not in ("EC503", "EC504")]
    assert (finding.rule, finding.count, finding.undecided) == ("EC951", 1, True)
    assert finding.evidence == (str(difference),)
    assert f": {name} differs" in finding.message
    assert differences(run, reference, allow=[name]) == []
    missing = record(**{section: {key: None}})
    if name != "device.kind":  # without a kind it is a device
        assert [one.fact for one in differences(missing, reference)] == ([] if name == "conditions.canary" else [name])
    assert [one.fact for one in differences(missing, missing)] == ([name] if name in NEEDED else [])


def test_two_models_are_compared_where_that_is_the_question(record):
    run, reference = record(model={"sha256": "cd" * 32}), record()
    (finding,) = against(run, reference)
    assert finding.help == "to compare two models, allow `model` to differ"
    assert list(against(run, reference, allow=["model"])) == []
    other = record(model={"sha256": "cd" * 32, "input": "1x256x256x3 float32"})
    assert rules(against(other, reference, allow=["model"])) == ["EC951"], "another input is another question"


def test_a_span_that_one_side_did_not_time(record):
    run, reference = record({"preprocess": samples()}), record()
    (finding,) = against(run, reference)
    assert finding.message == "not comparable: this run did not time 'model'"
    assert finding.evidence == ("span model: preprocess, in the reference model",)
    (finding,) = against(run, reference, span="preprocess")
    assert finding.message == "not comparable: the reference did not time 'preprocess'"


def test_the_hosts_ratio_is_reported_as_what_it_is(record):
    reference = record(**HOST)
    run = record({"model": [one * 2 for one in samples(seed=1)]}, **HOST)
    (finding,) = against(run, reference)
    assert finding.severity == "warning"
    assert "slower than the reference on the host (this says nothing about a device)" in finding.message
    (found,) = compare(run, reference)
    assert found.ratio.host


def test_processor_time_speaks_where_the_machine_was_busy(record):
    busy = [one * factor for one, factor in zip(samples(), numpy.random.default_rng(3).uniform(1.2, 4, 12))]
    calm = {"model": samples(seed=2), "model_cpu": samples(seed=2)}
    turns_of = {**HOST, "conditions": {"session": "one"}}
    reference = record(calm, **turns_of)
    for factor, answer in ((1.0, "same"), (1.05, "slower"), (1 / 1.05, "faster")):
        cpu = [one * factor for one in samples(seed=1)]
        (found,) = compare(record({"model": busy, "model_cpu": cpu}, **turns_of), reference)
        assert (found.answer, found.ratio.clock) == (answer, "processor")
    (one_sided,) = against(
        record({"model": busy, "model_cpu": samples(seed=1)}, **turns_of), record({"model": calm["model"]}, **turns_of)
    )
    assert one_sided.rule == "EC952"
    assert "record processor time" in one_sided.help


def test_two_sessions_on_a_busy_machine_are_compared_with_care(record):
    """Recorded half an hour apart, identical code was 4 % apart: only what is far beyond that is told."""
    busy = [one * 3 for one in samples()]
    reference = record({"model": busy, "model_cpu": samples()}, **HOST, conditions={"session": "one"})
    for factor, answer, expected in (
        (1.0, "cannot tell", ["EC952"]),
        (1.05, "cannot tell", ["EC952"]),
        (1.2, "slower", ["EC502"]),
    ):
        cpu = [one * factor for one in samples(seed=1)]
        (found,) = compare(record({"model": busy, "model_cpu": cpu}, **HOST, conditions={"session": "two"}), reference)
        assert (found.answer, rules(found.findings)) == (answer, expected)
        assert "not interleaved" in found.findings[0].message
    assert (
        "measure both now, in turns"
        in compare(record({"model": busy, "model_cpu": samples(seed=1)}, **HOST), reference)[0].findings[0].help
    )


def test_a_canary_takes_the_machines_drift_out(record):
    drift = numpy.exp(numpy.random.default_rng(4).normal(0, 0.3, 24))
    made = []
    for side, factor in ((0, 1.0), (1, 1.05)):
        model = [one * factor * by for one, by in zip(samples(seed=side), drift[side::2])]
        canary = [one * by for one, by in zip(samples(middle=3e5, seed=side + 7), drift[side::2])]
        made.append(({"model": model, "canary": canary}, {"model": model}))
    (first, first_plain), (second, second_plain) = made
    (found,) = compare(record(second), record(first))
    assert (found.answer, found.ratio.canary) == ("slower", True)
    assert rules(against(record(second_plain), record(first_plain))) == ["EC952"], "without it, nobody can tell"


@pytest.mark.parametrize("felt", [0.6, 1.0, 1.8])
def test_a_span_that_feels_the_machine_more_than_the_canary_does(record, felt):
    """The neighbours come and go within launches too: there it is seen how much more."""
    random = numpy.random.default_rng(11)
    made = []
    for factor in (1.0, 1.05):
        spans_of = {"model": [], "canary": []}
        for _ in range(12):
            machine = numpy.repeat(random.normal(0, 0.1) + random.normal(0, 0.05, 5), 24)
            noise = random.normal(0, 0.01, (2, 120))
            spans_of["model"].append(10e6 * factor * numpy.exp(felt * machine + noise[0]))
            spans_of["canary"].append(3e5 * numpy.exp(machine + noise[1]))
        made.append(record(spans_of))
    (found,) = compare(made[1], made[0])
    assert found.answer == "slower"
    assert found.ratio.value.estimate == pytest.approx(1.05, abs=0.01)
    (same,) = compare(made[0], made[0])
    assert same.answer == "same"


def test_neighbours_of_one_session_take_a_drift_out(record):
    drift = numpy.linspace(1, 1.6, 24)
    order = [0 if one == "a" else 1 for one in turns(["a", "b"], 12)]
    sides = []
    for side, factor in ((0, 1.0), (1, 1.05)):
        places = [i for i, one in enumerate(order) if one == side]
        model = [one * factor * drift[i] for one, i in zip(samples(seed=side), places)]
        sides.append((model, [f"{i:04d}" for i in places]))
    (a, a_names), (b, b_names) = sides
    session = {"session": "2026-11-21T09:00:00Z"}
    (found,) = compare(
        record({"model": b}, b_names, conditions=session), record({"model": a}, a_names, conditions=session)
    )
    assert (found.answer, found.ratio.paired) == ("slower", True)
    (apart,) = compare(record({"model": b}, b_names), record({"model": a}, a_names))
    assert (apart.answer, apart.ratio.paired) == ("cannot tell", False)


# What is measured


def test_a_quantile_weighs_every_launch_alike_and_repeats():
    launches = tuple(Samples(name=str(i), wall=numpy.arange(1, 101) * 1.0) for i in range(8))
    long = Samples(name="8", wall=numpy.full(10_000, 1000.0))
    found = DeviceTiming(place="p", span="s", session="", launches=(*launches, long), one_thread=False)
    assert quantile(found, 0.5).estimate == 57, "9 launches: half of the weight lies at or below 57 of the eight"
    assert quantile(found, 0.5) == quantile(found, 0.5)
    alone = replace(found, launches=launches)
    assert [quantile(alone, q).estimate for q in (0.1, 0.5, 0.9)] == [10, 50, 90]
    assert quantile(alone, 0.9).low == quantile(alone, 0.9).high == 90, "launches that are equal leave no doubt"


launch_samples = st.lists(st.floats(1e3, 1e9), min_size=1, max_size=20).map(numpy.array)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(launch_samples, min_size=2, max_size=10),
    st.lists(launch_samples, min_size=2, max_size=10),
    st.floats(0.1, 10),
)
def test_a_ratio_is_in_its_interval_and_scales(first, second, factor):
    a, b = (
        DeviceTiming(place="p", span="s", session="", one_thread=False,
                     launches=tuple(Samples(name=str(i), wall=one) for i, one in enumerate(side)))
        for side in (first, second)
    )  # fmt: skip
    found = ratio(a, b).value
    assert found.low <= found.estimate <= found.high
    scaled = replace(a, launches=tuple(replace(one, wall=one.wall * factor) for one in a.launches))
    assert ratio(scaled, b).value.estimate == pytest.approx(found.estimate * factor)
    assert ratio(a, a).value.estimate == pytest.approx(1)


def test_the_chance_is_that_of_counting_every_order():
    for first, second in ((3, 4), (5, 2)):
        pooled = numpy.arange(first + second) ** 1.5
        orders = [set(one) for one in itertools.combinations(range(first + second), first)]
        above = [sum(i > j for i in one for j in set(range(first + second)) - one) for one in orders]
        for one, seen in zip(orders, above):
            as_far = sum(min(other, first * second - other) <= min(seen, first * second - seen) for other in above)
            a, b = pooled[sorted(one)], pooled[sorted(set(range(first + second)) - one)]
            assert chance(a, b) == pytest.approx(min(1.0, as_far / len(orders)), abs=1e-12)
    ranks = range(1, 6)
    signs = list(itertools.product((1, -1), repeat=5))
    sums = [sum(rank for rank, sign in zip(ranks, one) if sign > 0) for one in signs]
    for one, seen in zip(signs, sums):
        as_far = sum(min(other, 15 - other) <= min(seen, 15 - seen) for other in sums)
        assert chance(numpy.array(ranks) * one * 1.0) == pytest.approx(as_far / len(signs))


def test_the_chance_of_many_launches_is_the_normal_distributions():
    random = numpy.random.default_rng(8)
    few, many = (chance(*(random.normal(shift, 1, 40 + more) for shift in (0.0, 0.0))) for more in (0, 1))
    assert 0 < few <= 1
    assert 0 < many <= 1
    assert chance(numpy.arange(60.0) + 100, numpy.arange(60.0)) < 1e-15
    assert chance(numpy.arange(100.0) - 49.5) > 0.99


def test_no_noise_makes_identical_code_slower_more_often_than_said():
    """Launches that lie 30 % apart, eight a side: one false `slower` in a hundred is what CHANCE allows."""
    random = numpy.random.default_rng(9)
    answers = []
    for _ in range(400):
        sides = (DeviceTiming(place="p", span="s", session="", one_thread=False, launches=tuple(
            Samples(name=str(i), wall=numpy.array([one])) for i, one in enumerate(1e6 * numpy.exp(random.normal(0, 0.3, 8)))
        )) for _ in range(2))  # fmt: skip
        answers.append(answer_of(ratio(*sides)))
    assert answers.count("slower") <= 10, "4 are to be expected; 11 would be seen in one of 500 such tests"
    assert answers.count("cannot tell") > 380


def test_nonsense_samples_are_no_launch(record):
    bad = [*samples(8), numpy.array([0, 5]), numpy.array([], int)]
    assert len(timing(record({"model": bad}), "model").launches) == 8


def test_names_of_devices():
    assert spelled("Pixel 8") == spelled("pixel-8") == spelled("PIXEL_8") != spelled("Pixel 8 Pro")


# The stored launches of identical code


def study():
    path = ROOT / "scripts" / "latency_study.py"
    spec = importlib.util.spec_from_file_location("latency_study", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["latency_study"] = module
    spec.loader.exec_module(module)
    return module


def test_identical_code_raises_no_alarm_and_five_percent_is_found():
    """100 splits of every stored recording in both designs, twelve launches a side; not the seed of `make latency-study`."""
    found = list(study().tallies(STORED, splits=100, launches=12, seed=77))
    assert len({one.recording.partition("/")[0] for one in found}) >= 3
    for design in ("neighbours", "any"):
        of = [one for one in found if one.design == design]
        splits = sum(one.splits for one in of)
        assert splits >= 200
        assert sum(one.false_alarms for one in of) <= 0.01 * splits, of
        assert sum(one.slowed["slower"] for one in of) >= 0.95 * splits, of


def test_samples_taken_for_independent_would_cry_wolf():
    """Why the launch is the unit: the same splits by Mann-Whitney's rank test over samples."""
    module, alarms, total = study(), 0, 0
    random = module.random.Random(5)
    for one in module.find(STORED):
        found = timing(one.run, "model")
        for _ in range(20):
            first, second = module.split(found, "any", 8, random)
            a, b = (numpy.concatenate([s.wall for s in side.launches]) for side in (first, second))
            ranks = numpy.argsort(numpy.argsort(numpy.concatenate([a, b])))[: a.size].sum() - a.size * (a.size - 1) / 2
            z = (ranks - a.size * b.size / 2) / (a.size * b.size * (a.size + b.size + 1) / 12) ** 0.5
            alarms, total = alarms + (abs(z) > 1.96), total + 1
    assert alarms > 0.3 * total


def test_stored_runs_are_the_hosts_and_small():
    folders = [path.parent for path in STORED.rglob("run.json")]
    assert len(folders) >= 3
    for folder in folders:
        run = read(folder)
        assert run.device["kind"] == "host"
        assert len(run.launches) >= 16
        assert all(run.latency("model", one.name).size >= 200 for one in run.launches)
        assert sum(path.stat().st_size for path in folder.iterdir()) < 150_000
        (finding,) = judge(run, parse("p90 <= 1 s on pixel-8"))
        assert finding.rule == "EC951"


# Launches

CHILD = """
import os, sys, time
sys.path.insert(0, {recorders!r})
from edgecheck_recorder import Recorder
side, mode = sys.argv[1:]
count = sum(1 for _ in open({log!r})) if os.path.exists({log!r}) else 0
open({log!r}, "a").write(side + "\\n")
if mode == "hang": time.sleep(60)
if mode == "die" or (mode == "stumble" and count % 5 == 4): os.abort()
if mode == "silent": sys.exit(0)
if mode == "fail": sys.exit("no such delegate")
r = Recorder(os.environ["EDGECHECK_RUN"], "p", ["model"], model={{"name": "m"}}, device={{"kind": "host", "model": "h" + (str(count) if mode == "changes" else "")}},
             runtime={{"name": "r"}}, conditions={{"thermal_after": str(count)}})
r.launch("0", 3)
for i in range(4): r.sample("model", 1000 + i)
r.finish()
"""


def plan(tmp_path, sides, launches, **more) -> Plan:
    path = tmp_path / "child.py"
    path.write_text(CHILD.format(recorders=str(ROOT / "recorders" / "python"), log=str(tmp_path / "log")), "utf-8")
    return Plan(
        sides={one: [sys.executable, str(path), one, mode] for one, mode in sides.items()}, launches=launches, **more
    )


def test_launches_are_interleaved_and_named_by_their_place(tmp_path):
    found = launch(plan(tmp_path, {"a": "good", "b": "good"}, 3), tmp_path / "out")
    assert (tmp_path / "log").read_text().split() == [*"ab", *"abbaab"], (
        "one launch of each that is not kept, then turns"
    )
    assert [one.name for one in found["a"].launches] == ["0000", "0003", "0004"]
    assert [one.name for one in found["b"].launches] == ["0001", "0002", "0005"]
    assert found["a"].conditions["session"] == found["b"].conditions["session"]
    assert found["a"].conditions["thermal_after"] == "6", "of the last launch"
    assert found["a"].launches[0].warmup == 3
    assert found["b"].latency("model", "0005").tolist() == [1000, 1001, 1002, 1003]
    with pytest.raises(EdgecheckError, match="is there already"):
        launch(plan(tmp_path, {"a": "good"}, 1), tmp_path / "out")


def test_a_launch_that_dies_is_left_out_and_counted(tmp_path):
    found = launch(plan(tmp_path, {"a": "stumble"}, 9), tmp_path / "out")["a"]
    assert [one.name for one in found.launches] == ["0000", "0001", "0002", "0004", "0005", "0006", "0007"]
    assert found.conditions["launches_lost"] == 2
    with pytest.raises(EdgecheckError, match=r"4 of 13 launches were lost; the last: a: died of signal 6") as caught:
        launch(plan(tmp_path, {"a": "die"}, 12), tmp_path / "other")
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("mode", "says"),
    [("hang", "no end after 0.3 s"), ("silent", "cannot read "), ("fail", "ended with code 1: no such delegate")],
)
def test_a_program_that_does_not_measure_is_named(tmp_path, mode, says):
    with pytest.raises(EdgecheckError) as caught:
        launch(plan(tmp_path, {"a": mode}, 2, timeout=0.3 if mode == "hang" else 30), tmp_path / "out")
    assert says in str(caught.value)
    assert "EDGECHECK_RUN" in caught.value.help
    assert not (tmp_path / "out" / "a").exists()


def test_a_side_that_changes_is_no_side(tmp_path):
    with pytest.raises(EdgecheckError, match="launch 0001 has another model, device, runtime or spans than the first"):
        launch(plan(tmp_path, {"a": "changes"}, 3), tmp_path / "out")


def test_a_program_that_is_not_there(tmp_path):
    with pytest.raises(EdgecheckError, match="a: /nowhere cannot be started: No such file or directory"):
        launch(Plan(sides={"a": ["/nowhere"]}, launches=1), tmp_path / "out")


def test_answers_at_their_borders():
    value = ratio(*(DeviceTiming(place="p", span="s", session="", one_thread=False,
                                 launches=tuple(Samples(name=str(i), wall=numpy.array([x])) for i in range(8))) for x in (1.03, 1.0)))  # fmt: skip
    assert answer_of(value) == "slower"
    near = replace(value, value=replace(value.value, estimate=1.024, low=1.023, high=1.0245))
    assert answer_of(near) == "same", "below the least effect worth a finding"
    assert answer_of(replace(value, value=replace(value.value, low=0.999))) == "same"
    assert answer_of(replace(value, value=replace(value.value, low=0.94))) == "cannot tell"

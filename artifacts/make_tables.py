"""Write the figures of `artifacts/` into the pages, between their `<!-- table: NAME -->` markers.

Usage: python artifacts/make_tables.py [--check]

With --check nothing is written, and the exit code is 1 if a README shows anything else than the files say.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnistsum_runtime.atomic import write_atomically

ARTIFACTS = Path(__file__).parent
ROOT = ARTIFACTS.parent
READMES = (ROOT / "README.md", *sorted(ROOT.glob("*/*.md")))
MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def first_minutes_table() -> str:
    """Lines and minutes from nothing to what each reader came for."""
    measured = _load("first_minutes.json")
    rows = [["from nothing to", "lines of this page", "minutes"]]
    for goal, row in measured["goals"].items():
        beside = "" if row["timed"] == len(row["lines"]) else ", and those of the Pi"
        rows.append([goal, str(len(row["lines"])), f"{row['seconds'] / 60:.1f}{beside}"])
    return _table(rows) + f"\n`tests/first_minutes.py`, {measured['machine']}.\n"


def by_hand() -> str:
    """The lines of `by_hand.py`, without what surrounds them."""
    lines = (ARTIFACTS / "by_hand.py").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    ink = "))
    return "\n".join(["```python", *(line[4:] for line in lines[first:]), "```", ""])


def accuracy_table() -> str:
    """The test set x all ten numbers, beside what the source reports."""
    report = _load("sum/report.json")
    test, scans = report["test"], _load("sum/clean_scans.json")
    rows = [
        ["", "mnistsum", "the source"],
        ["digit right", _percent(test["digit"]), "92.98 %"],
        ["sum right", _percent(test["value"]), "91.61 %"],
        ["both right", _percent(test["both"]), ""],
        ["heads agree", _percent(test["agree"]), ""],
        ["expected calibration error, digit", _percent(report["calibration_error"]["digit"]), ""],
        ["expected calibration error, sum", _percent(report["calibration_error"]["value"]), ""],
        [
            f"both right, {scans['pictures']:,} clean scans (the same digits in 28x28)",
            f"{_percent(scans['scans'])} ({_percent(scans['plain'])})",
            "",
        ],
    ]
    machine = report["machine"]
    return _table(rows) + (
        f"\n{report['parameters']:,} parameters; {test['pairs']:,} pairs: 10,000 test pictures x all ten numbers, "
        f"read once, after the training. Seed {report['recipe']['seed']}, {report['recipe']['epochs']} epochs, "
        f"{report['training_seconds'] / 60:.1f} minutes on {_threads(machine)} ({machine['device']}, "
        f"{machine['precision']}). The same seed on the same machine and as many threads gives the same weights bit "
        "for bit; elsewhere the figures agree within the spread over seeds.\n"
    )


def short_table() -> str:
    """The first page's lines: the shipped network on what it has not learnt from."""
    report = _load("sum/report.json")
    test, reliable = report["test"], report["reliability_test"]
    rows = [["digits that it has not learnt from", "digit and sum right", "called reliable", "wrong of those"]]
    rows.append(
        [
            "MNIST's test set, 10,000 pictures with each number",
            _percent(test["both"]),
            _percent(reliable["digits"]),
            _percent(1 - reliable["right"]),
        ]
    )
    for digits in _load("writers.json")["sets"]:
        found = digits["models"]["base, sum"]
        shares = [_percent(found[key] / digits["pictures"]) for key in ("both_right", "reliable")]
        wrong = _percent(found["reliable_and_wrong"] / found["reliable"])
        rows.append([f"other people's: {digits['name']}, {digits['pictures']:,}", *shares, wrong])
    taken = _load("sum/photos.json")["photos"]["all"]
    rows.append([f"photos, made from the test set, {taken['count']:,} (digit alone)", _percent(taken["right"]), "", ""])
    return _table(rows)


def detail_table() -> str:
    """Both right, by digit and by number."""
    test = _load("sum/report.json")["test"]
    rows = [["both right, %", *(str(i) for i in range(10))]]
    for name, key in (("pictures of the digit", "per_digit"), ("pairs with the number", "per_number")):
        rows.append([name, *(f"{100 * value:.2f}" for value in test[key])])
    return _table(rows)


def parity_table() -> str:
    """Every comparison of the shipped file with torch."""
    export = _load("sum/export.json")
    parity = export["parity"]
    rows = [["engine", "batch", "pairs", "largest difference, digit", "sum", "labels that agree, digit / sum"]]
    for row in parity["comparisons"]:
        differences = [f"{output['largest_difference']:.1e}" for output in row["outputs"]]
        agree = [f"{output['labels_equal']:,}" for output in row["outputs"]]
        rows.append([row["engine"], str(row["batch"]), f"{row['rows']:,}", *differences, " / ".join(agree)])
    return _table(rows) + (
        f"\nOpset {export['opset']}, IR version {export['ir_version']}, {export['bytes']:,} bytes, "
        f"tolerance {parity['outputs']['digit']['tolerance']:g}, {parity['rows']:,} different pairs.\n"
    )


def int8_table() -> str:
    """The quantised file beside the one it was made from."""
    export, fp32 = _load("sum/export_int8.json"), _load("sum/export.json")
    validation, test, latency = export["int8"]["validation"], export["int8"]["test"], export["latency_us"]
    share = export["bytes"] / fp32["bytes"]
    rows = [["", "fp32", "int8"], ["file", f"{fp32['bytes']:,} bytes", f"{export['bytes']:,} bytes ({share:.0%})"]]
    for name, part in (("validation", validation), ("test", test)):
        differences = max(part["largest_difference"].values())
        rows += [
            [f"both right, {part['pairs']:,} {name} pairs", f"{part['fp32_both']:.3%}", f"{part['int8_both']:.3%}"],
            [f"labels as fp32, {name}", "", f"{part['labels_agree']:,} of {part['pairs']:,}"],
            [f"largest difference of a logit, {name}", "", f"{differences:.2f}"],
        ]
    rows.append(
        ["one picture, one thread, same run (median)", f"{latency['fp32']:.0f} us", f"{latency['int8']:.0f} us"]
    )
    return _table(rows)


def photos_table() -> str:
    """The project's photo set: digits on paper as cameras see them."""
    taken = _load("sum/photos.json")["photos"]
    rows = [["photos of test digits", "photos", "digit right"]]
    for kind, row in (*taken["kinds"].items(), ("all", taken["all"])):
        rows.append([kind, f"{row['count']:,}", _percent(row["right"])])
    return _table(rows)


def doubt_table() -> str:
    """How often the user is told that there is no digit, or not to rely on the answer."""
    found = _load("sum/not_a_digit.json")
    groups = [
        ("MNIST test digits", found["test_digits"]),
        ("nothing there: sheets without a digit", found["nothing_there"]),
    ]
    groups += list(found["given"].items())
    groups += [(f"drawn: {kind}", row) for kind, row in found["drawn"].items()]
    groups += [(f"the same as photos: {kind}", row) for kind, row in found["on_paper"].items()]
    rows = [["pictures", "number", "no answer", "unreliable", "both"]]
    for name, row in groups:
        shares = [_percent(row[key] / row["pictures"]) for key in ("no_answer", "unreliable")]
        rows.append([name, f"{row['pictures']:,}", *shares, _percent(row["told"])])
    return _table(rows)


def bench_table() -> str:
    """What `mnistsum-bench` measured."""
    bench = _load("bench.json")
    rows = [["", "measured", ""]]
    for figure in bench["figures"]:
        value = figure["value"]
        number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        rows.append([figure["group"], figure["name"], f"{number} {figure['unit']}"])
    device, versions = bench["device"], bench["versions"]
    return _table(rows) + (
        f"\n{device['board']}, {device['machine']}, {device['cores']} cores, Python {device['python']}, onnxruntime "
        f"{versions['onnxruntime']}, model {bench['model']['sha256'][:12]}. A shared machine: the ratios say more "
        "than the times.\n"
    )


def sizes_table() -> str:
    """Every shipped size and operation, as `measure_sizes.py` wrote them."""
    entries: list[dict[str, Any]] = json.loads((ARTIFACTS / "sizes.json").read_text(encoding="utf-8"))
    base = next(entry["latency_us"]["predict"] for entry in entries if entry["preset"] == "base")
    rows = [
        ["", "parameters", "file, bytes", "digit", "second output", "both right", "heads agree", "training", "answer"]
    ]
    for entry in entries:
        latency = entry["latency_us"]["predict"]
        rows.append(
            [
                f"{entry['preset']}, {entry['operation']}",
                f"{entry['parameters']:,}",
                f"{entry['bytes']:,}",
                *(_percent(entry[name]) for name in ("digit", "value", "both", "agree")),
                f"{entry['training_seconds'] / 60:.1f} min, {_epochs(entry)}",
                f"{latency:.0f} us ({latency / base:.2f} x)",
            ]
        )
    places = ", ".join(dict.fromkeys(entry["trained_on"] for entry in entries))
    return _table(rows) + (
        f"\n100,000 test pairs each, seed 0. Trained on {places}. Answer: one picture of 28x28, warm, one thread, "
        "`Predictor.predict`; median, measured in turns, and the ratio to base.\n"
    )


def writers_table() -> str:
    """Every shipped model on digits that are not MNIST's, as `measure_writers.py` wrote them."""
    measured = _load("writers.json")
    rows = [["digits", "model", "both right", "called reliable", "wrong of those"]]
    for digits in measured["sets"]:
        name, pictures = f"{digits['name']}, {digits['pictures']:,}", digits["pictures"]
        for model, found in digits["models"].items():
            shares = [_percent(found[key] / pictures) for key in ("both_right", "reliable")]
            wrong, reliable = found["reliable_and_wrong"], found["reliable"]
            share = f" ({_percent(wrong / reliable)})" if reliable else ""
            rows.append([name, model, *shares, f"{wrong:,} of {reliable:,}{share}"])
            name = ""
    hashes = "; ".join(f"{name} {digest[:12]}" for name, digest in measured["model_sha256"].items())
    return _table(rows) + (
        f"\nThe number {measured['number']} with every picture. A picture without an answer counts as wrong. "
        f"SHA-256 of the models: {hashes}. `artifacts/writers.json` also has the errors by digit.\n"
    )


def _epochs(entry: dict[str, Any]) -> str:
    members = f"{entry['members']} x " if entry["members"] > 1 else ""
    return f"{members}{entry['epochs']} epochs"


def seeds_table() -> str:
    """Mean and spread over seeds, as `python -m mnistsum_train.studies.seeds` wrote them."""
    rows = [["", "seeds", "parameters", "digit", "sum", "both right", "heads agree", "each seed's both right"]]
    for name, size in _load("seeds.json").items():
        figures = [_mean_and_spread(size, key) for key in ("digit", "value", "both", "agree")]
        each = ", ".join(f"{100 * seed['both']:.2f}" for seed in size["seeds"])
        rows.append([name, str(len(size["seeds"])), f"{size['parameters']:,}", *figures, each])
    return _table(rows)


def _mean_and_spread(size: dict[str, Any], key: str) -> str:
    spread = size["standard_deviation"].get(key)  # one seed has none
    return f"{100 * size['mean'][key]:.3f}" + ("" if spread is None else f" +- {100 * spread:.3f}") + " %"


def race_table() -> str:
    """Seconds of training until the target, as `python -m mnistsum_train.studies.race` wrote them."""
    race = _load("race.json")
    rows = [["", "judged by", "parameters", "epochs", f"seconds to {race['target']:.1%}", "right then"]]
    for runner in (race["ours"], race["example"]):
        then = next((point for point in runner["curve"] if point["accuracy"] >= race["target"]), None)
        reached = (
            [f"{then['epochs']:g}", f"{then['seconds']:.1f}", _percent(then["accuracy"])]
            if then
            else [f"{runner['curve'][-1]['epochs']:g}", "not reached", _percent(runner["curve"][-1]["accuracy"])]
        )
        rows.append([runner["name"], runner["judged_by"], f"{runner['parameters']:,}", *reached])
    machine = race["machine"]
    ratio = f" {1 / race['ratio']:.0f} times as fast." if race["ratio"] else ""
    return _table(rows) + (
        f"\nOne run, {machine['threads']} threads ({machine['device']}).{ratio} The clock stands still during "
        "evaluation and while files are read.\n"
    )


def compat_table() -> str:
    """Opset by onnxruntime, as `make compat` wrote it."""
    return (ARTIFACTS / "compat.md").read_text(encoding="utf-8")


def boards_table() -> str:
    """Processor by onnxruntime build, as `make boards` found them."""
    measured = _load("boards.json")
    cells = {(cell["build"], cell["processor"]): cell for cell in measured["cells"]}
    rows = [["onnxruntime", *(f"{name} ({boards})" for name, boards in measured["processors"].items())]]
    notes: list[str] = []
    for build in measured["builds"]:
        rows.append([build, *(_board(cells[build, processor], notes) for processor in measured["processors"])])
    reasons = " ".join(f"({number}) {note}." for number, note in enumerate(notes, 1))
    return _table(rows) + (
        f"\nLargest difference of a logit where `mnistsum-verify` passed. {reasons} Wheels on bookworm's Python "
        f"{measured['python']['wheel']}, Debian's build on trixie's {measured['python']['debian']}; QEMU "
        f"{measured['qemu']}.\n"
    )


def _board(cell: dict[str, Any], notes: list[str]) -> str:
    """What became of a build on a processor; the reason of a failure is added to the notes, and named by its number."""
    if cell["verifies"]:
        return f"{cell['largest_difference']:.1e}"
    if cell["explanation"] not in notes:
        notes.append(cell["explanation"])
    what = "no wheel" if not cell["installs"] else cell["how"].rpartition("died of ")[2]
    return f"{what} ({notes.index(cell['explanation']) + 1})"


def campaign_table() -> str:
    """What was thrown at the commands and what held, as `make campaign` counted it."""
    measured = _load("campaign.json")
    rows = [["campaign (`make campaign`)", "tried", "held", "failed"]]
    for name, each in measured["campaigns"].items():
        counts = (f"{each[key]:,}" for key in ("tried", "held", "failed"))
        rows.append([f"{name}: {each['what']}", *counts])
    dates = sorted(each["date"] for each in measured["campaigns"].values())
    versions = measured["versions"]
    return _table(rows) + (
        f"\n{dates[-1]}, {measured['machine']['board']}; onnxruntime {versions['onnxruntime']}, Pillow "
        f"{versions['Pillow']}. What fails is kept in a folder.\n"
    )


def batch_table() -> str:
    """`mnistsum-batch` and the training on two processes, as `make batch-bench` measured them, part by part."""
    measured = _load("batch.json")
    parts = {
        "answers": _batch_answers,
        "workers": _batch_workers,
        "cluster": _batch_cluster,
        "million": _batch_million,
        "faults": _batch_faults,
        "training": _batch_training,
    }
    rows = [["what", "measured"]]
    for name, rows_of in parts.items():
        if name in measured:
            rows += rows_of(measured[name])
    machine, versions = measured["machine"], measured["versions"]
    return _table(rows) + (
        f"\n{machine['board']}, {machine['cores']} cores; the two nodes are on this machine. Ray {versions['ray']}, "
        f"pyarrow {versions['pyarrow']}. Seed 0.\n"
    )


def _batch_answers(part: dict[str, Any]) -> list[list[str]]:
    what = f"answers other than `mnistsum-run --json` gives, of {part['pictures']:,} pictures, broken ones among them"
    return [[what, f"{part['different']}"]]


def _batch_workers(part: dict[str, Any]) -> list[list[str]]:
    what = f"two workers beside `predict_many` in one process, {part['pictures']:,} scans of 200x200"
    return [[what, f"{part['ratio']:.2f} x"]]


def _batch_cluster(part: dict[str, Any]) -> list[list[str]]:
    what = f"a Ray cluster of two nodes beside two workers, {part['pictures']:,} pictures of 28x28 in tar files"
    return [[what, f"{part['ratio']:.2f} x"]]


def _batch_million(part: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, key in (("two workers", "here"), ("the cluster", "cluster")):
        row = part[key]
        said = f"{row['seconds']:.0f} s, {row['rows']:,} rows, {row['driver_memory_mb']:.0f} MB in the driver"
        rows.append([f"{part['pictures']:,} pictures of 28x28 in tar files, {name}", said])
    return rows


def _batch_faults(part: dict[str, Any]) -> list[list[str]]:
    kinds = ("worker", "node", "driver")
    kills = ", ".join(f"{part[what]['kills']} of a {what}" for what in kinds)
    intact = all(part[what]["same_bytes"] for what in kinds)
    said = "no row lost or twice, every byte as of an undisturbed run" if intact else "NOT as an undisturbed run"
    return [[f"{part['pictures']:,} pictures with kills ({kills}), then the same command again", said]]


def _batch_training(part: dict[str, Any]) -> list[list[str]]:
    rows = []
    for preset, row in part.items():
        if isinstance(row, dict):
            step = f"`torchrun`, two processes, `{preset}`: a step beside one process's with half the batch"
            end = f"both right after {row['epochs']} epochs of `{preset}`, two processes (one)"
            rows += [
                [step, f"{row['ratio']:.2f} x"],
                [end, f"{_percent(row['two']['both'])} ({_percent(row['one']['both'])})"],
            ]
    return rows


def serve_table() -> str:
    """Our server beside others, as `make serve-bench` measured them."""
    measured = _load("serve.json")
    client, start, memory = measured["client"], measured["start"], measured["memory"]
    clients = {"mnistsum-serve": "mnistsum-serve, binary", "MLServer": "MLServer, json"}
    rows = [["", "tritonclient, one picture: p50, p99", "28x28 PNG, 8 connections", "memory"]]
    for each in measured["throughput"]:
        times = client.get(clients.get(each["name"], ""))
        shown = f"{times['p50_ms']:.2f}, {times['p99_ms']:.2f} ms" if times else "-"
        rows.append(
            [each["name"], shown, f"{each['requests_per_second']:,.0f} a second", f"{each['memory_mb']:.0f} MB"]
        )
    json_times, versions = client["mnistsum-serve, json"], measured["versions"]
    return _table(rows) + (
        f"\nWith tensors as JSON, as MLServer has them: {json_times['p50_ms']:.2f}, {json_times['p99_ms']:.2f} ms. "
        f"It is ready after {start['serve_ratio']:.2f} x of a whole `mnistsum-run`. Memory after 1,000 requests "
        f"{memory['after_1000_mb']:.1f} MB, after {memory['requests']:,} {memory['after_all_mb']:.1f} MB. One run "
        f"({measured['machine']['processor']}, {measured['machine']['cores']} cores); MLServer {versions['mlserver']}, "
        f"LitServe {versions['litserve']}.\n"
    )


def page_table() -> str:
    """The page in one file, as `make page` measured it."""
    measured = _load("page.json")
    browsers, machine, preparation = measured["browsers"], measured["machine"], measured["preparation"]
    outputs = [output for browser in browsers for output in browser["outputs"]]
    labels = {f"{each['labels_equal']} of {each['labels']}" for each in outputs}
    rows = [["", *(each["name"] for each in browsers)]]
    for label, show in (
        ("digit and sum right, ten digits drawn ten times", lambda each: f"{each['right']} of {each['answers']}"),
        ("from the stroke's end to the answer: p50, p95", lambda each: _two(each["answer_ms"])),
        ("verification", lambda each: "verified" if each["verified"] else "NOT VERIFIED"),
        ("largest difference of a logit", lambda each: f"{max(o['largest_difference'] for o in each['outputs']):.1e}"),
        ("ready after", lambda each: f"{each['ready_ms'] / 1000:.1f} s"),
        ("requests", lambda each: str(each["requests"])),
    ):
        rows.append([label, *map(show, browsers)])
    return _table(rows) + (
        f"\nLabels equal in each output: {', '.join(sorted(labels))}. {measured['bytes']['fp32']:,} bytes, with int8 "
        f"{measured['bytes']['int8']:,}. Of {preparation['drawings']} drawings, no pixel of 28x28 is prepared further "
        f"than {preparation['largest_difference']:.1e} from the runtime's. One run ({machine['processor']}, "
        f"{machine['cores']} cores; other programs' load was {machine['load']:g}), onnxruntime-web "
        f"{measured['onnxruntime_web']}.\n"
    )


def _two(times: dict[str, float]) -> str:
    return f"{times['p50']:.1f}, {times['p95']:.1f} ms"


def faults_table() -> str:
    """What each check said of each planted fault, as `make faults` wrote it."""
    measured = _load("faults.json")
    faults, sound, versions = measured["faults"], measured["sound"], measured["versions"]
    checks = {
        "verify": "torch, `verify=True`",
        "assert_onnx_program": "torch, `assert_onnx_program`",
        "polygraphy": "Polygraphy",
    }
    rows = [["planted fault", "in the", "here, naming", *checks.values()]]
    for fault in faults:
        results = fault["results"]
        own = f"{results['prove']['status']}, `{fault['blamed']}`" if fault["named"] else results["prove"]["status"]
        others = [results[check]["status"].replace("not possible", "-") for check in checks]
        rows.append([f"{fault['name']}: {fault['what']}", fault["where"], own, *others])
    totals = [_found(faults, check) for check in ("prove", *checks)]
    rows.append(["**refused or warned, of those that could be asked**", "", *totals])
    rows.append(["refused though sound", "", *(_found(sound, check) for check in ("prove", *checks))])
    to_name = [fault["named"] for fault in faults if fault["blamed"]]
    return _table(rows) + (
        f"\nThe submodule is named for {sum(to_name)} of the {len(to_name)} faults that a submodule is to blame for. "
        f"torch {versions['torch']}, onnx {versions['onnx']}, onnxruntime {versions['onnxruntime']}, onnxscript "
        f"{versions['onnxscript']}, Polygraphy {versions['polygraphy']}.\n"
    )


def _found(rows: list[dict[str, Any]], check: str) -> str:
    asked = [status for row in rows if (status := row["results"][check]["status"]) != "not possible"]
    return f"{sum(status != 'passed' for status in asked)} of {len(asked)}" if asked else "-"


def zoo_table() -> str:
    """Every architecture of `make zoo`, and how often a sound module was refused."""
    zoo = _load("zoo.json")
    counts, alarms, versions = zoo["counts"], zoo["false_alarms"], zoo["versions"]
    opsets = " and ".join(map(str, zoo["opsets"]))
    columns = (column for opset in zoo["opsets"] for column in (f"opset {opset}", "s"))
    rows = [["", "parameters", "examples", "exporter", "rounding", *columns]]
    for entry in zoo["architectures"]:
        made_by = {proof["exporter"].removeprefix("torch.onnx, ") for proof in entry["proofs"] if "exporter" in proof}
        rounding = "-" if entry["torch_rounding"] is None else f"{entry['torch_rounding']:.1e}"
        cells = []
        for proof in entry["proofs"]:
            absolute, relative = proof.get("largest_difference"), proof.get("relative")
            cells.append(proof["status"] if relative is None else f"{absolute:.1e} ({relative:.1e})")
            cells.append(f"{proof['seconds']:.1f}")
        parameters = f"{entry['parameters']:,}"
        rows.append([entry["name"], parameters, entry["inputs"], ", ".join(sorted(made_by)), rounding, *cells])
    largest = sorted(max(proof.get("relative", 0) for proof in entry["proofs"]) for entry in zoo["architectures"])
    minutes = zoo["minutes"] + alarms["minutes"]
    summary = (
        f"{counts['proven']} of {counts['architectures']} architectures, {counts['torchvision_proven']} of them "
        f"torchvision's, are proven at opsets {opsets}; the largest difference is {largest[-1]:.1e} of an output's "
        f"spread, that of the median architecture {largest[len(largest) // 2]:.1e}. False alarms: "
        f"{len(alarms['refused'])} of {alarms['proofs']} proofs of {alarms['architectures']} of them with other "
        "weights and examples.\n\n"
    )
    notes = (
        "\nUnder the opsets: the largest difference over all outputs, engines and batch sizes, the same in parts of "
        "the output's spread, and the seconds of the proof. Rounding: between torch's float32 and float64, in parts of "
        "the spread. Refused is what neither exporter "
        f"writes at that opset; `artifacts/zoo.json` has the reasons. Seed {zoo['seed']}, torch {versions['torch']}, "
        f"onnx {versions['onnx']}, onnxruntime {versions['onnxruntime']}; {minutes:.0f} minutes on "
        f"{_threads(zoo['machine'])} ({zoo['machine']['device']}).\n"
    )
    return summary + _table(rows) + notes


TABLES: dict[str, Callable[[], str]] = {
    "by-hand": by_hand,
    "short": short_table,
    "first-minutes": first_minutes_table,
    "accuracy": accuracy_table,
    "detail": detail_table,
    "parity": parity_table,
    "int8": int8_table,
    "photos": photos_table,
    "doubt": doubt_table,
    "bench": bench_table,
    "compat": compat_table,
    "boards": boards_table,
    "sizes": sizes_table,
    "writers": writers_table,
    "seeds": seeds_table,
    "race": race_table,
    "faults": faults_table,
    "serve": serve_table,
    "page": page_table,
    "batch": batch_table,
    "campaign": campaign_table,
    "zoo": zoo_table,
}


def main() -> int:
    """Rewrite or check every README; returns the exit code."""
    stale = []
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        fresh = MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], text)
        if fresh != text:
            stale.append(readme.name)
            if "--check" not in sys.argv:
                write_atomically(readme, fresh.encode())
    return int(bool(stale) and "--check" in sys.argv)


def _load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ARTIFACTS / name).read_text(encoding="utf-8"))
    return content


def _threads(machine: dict[str, Any]) -> str:
    threads = int(machine["threads"])
    return "1 thread" if threads == 1 else f"{threads} threads"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]) + "\n"


if __name__ == "__main__":
    sys.exit(main())

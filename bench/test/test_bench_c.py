# SPDX-License-Identifier: MIT
"""bench_c.h: what a C program gets from Google Benchmark. BENCH_C_PROGRAM says where it is."""

import csv
import io
import json
import os
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["BENCH_C_PROGRAM"]
EVERY = ("mean", "median", "stddev", "cv")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120,
                          check=False)


def results(*arguments):
    """Of a run that goes well: the report, and what the program says of its fixtures."""
    done = run("--benchmark_format=json", *arguments)
    if done.returncode:
        raise AssertionError(done.stderr)
    counted = re.findall(r"^(fixture\w*) (\d+) (\d+) (\d+) (\d+)$", done.stderr, re.MULTILINE)
    return json.loads(done.stdout), {name: tuple(map(int, n)) for name, *n in counted}


def names(report):
    return [b["name"] for b in report["benchmarks"]]


class All(unittest.TestCase):
    """One run of everything."""

    @classmethod
    def setUpClass(cls):
        cls.report, cls.fixtures = results()

    def of(self, family):
        return [b for b in self.report["benchmarks"]
                if b["name"] == family or b["name"].startswith(family + "/")]

    def instances(self, family):
        return [b["name"].removeprefix(family) for b in self.of(family)]

    def test_context(self):
        self.assertEqual(self.report["context"]["fact"], 'a "quoted" one')

    def test_arguments(self):
        def xy(*pairs):
            return [f"/{x}/{y}/iterations:3" for x, y in pairs]

        expected = {
            "arg": ["/7/iterations:3", "/0/iterations:3"],
            "args": ["/x:2/y:-3/iterations:3", "/x:4/y:5/iterations:3"],
            "range": [f"/{x}/iterations:3" for x in (8, 64, 512, 1000)],
            "range_by_4": [f"/{x}/iterations:3" for x in (1, 4, 16, 64)],
            "dense": [f"/{x}/iterations:3" for x in (-3, 0, 3, 6)],
            "ranges": xy((1, 16), (2, 16), (4, 16), (1, 32), (2, 32), (4, 32)),
            "product": xy((1, 10), (2, 10), (1, 20), (2, 20), (1, 30), (2, 30)),
        }
        for family, instances in expected.items():
            self.assertEqual(self.instances(family), instances)
            for row in self.of(family):
                arguments = re.findall(r"/(?:[xy]:)?(-?\d+)(?=/)", row["name"])
                seen = [row[key] for key in "xy" if key in row]
                self.assertEqual(seen, [int(a) for a in arguments], row["name"])
                self.assertEqual(row["iterations"], 3)

    def test_threads(self):
        for family, expected in (("threads", (1, 3)), ("thread_range", (1, 2, 4)),
                                 ("dense_threads", (1, 3, 4))):
            self.assertEqual(self.instances(family),
                             [f"/iterations:3/threads:{n}" for n in expected])
            for row, n in zip(self.of(family), expected):
                self.assertEqual((row["threads"], row["iterations"]), (n, 3 * n))
                self.assertEqual((row["index"], row["count"]), (n * (n + 1) / 2, n * n))

    def test_counters(self):
        # 16 iterations of 1/8 s in each thread.
        for row, n in zip(self.of("counters"), (1, 2), strict=True):
            total = 96 * n
            self.assertEqual(row["threads"], n)
            self.assertEqual(row["plain"], total)
            self.assertEqual(row["rate"], total / 2)
            self.assertEqual(row["iteration"], total / (16 * n))
            self.assertEqual(row["invert"], 1 / total)
            self.assertEqual(row["times"], total * 16 * n)
            self.assertEqual(row["rate_threads"], total / 2 / n)
            self.assertEqual(row["rate_invert"], 2 / total)
            self.assertEqual(row["average"], total / n)
            # Threads share the iterations, so one takes 1/n of the time.
            self.assertEqual(row["real_time"], 0.125e9 / n)

    def test_rates_label_units(self):
        for family, n, unit, scale in (("rates", 4, "ns", 1e9), ("unit_ns", 2, "ns", 1e9),
                                       ("unit_us", 2, "us", 1e6), ("unit_ms", 2, "ms", 1e3),
                                       ("unit_s", 2, "s", 1)):
            (row,) = self.of(family)
            self.assertEqual(row["name"], f"{family}/iterations:{n}/manual_time")
            self.assertEqual((row["items_per_second"], row["bytes_per_second"]), (32, 16384))
            self.assertEqual((row["real_time"], row["time_unit"]), (0.25 * scale, unit))
            self.assertEqual(row["label"], 'a label, "quoted"')
            self.assertEqual(row["iterations"], n)

    def test_batch_overshoots(self):
        (row,) = self.of("batch")
        self.assertEqual((row["rounds"], row["iterations"]), (3, 30))

    def test_errors(self):
        for family, message in (("fails_early", "early"), ("fails_late", "late"),
                                ("fixture_fails", "set up")):
            (row,) = self.of(family)
            self.assertTrue(row["error_occurred"])
            self.assertEqual(row["error_message"], message)
        errors = [b["name"] for b in self.report["benchmarks"] if b.get("error_occurred")]
        self.assertEqual(len(errors), 3, errors)

    def test_repetitions(self):
        name = "repeated/iterations:2/repeats:3"
        rows = self.of("repeated")
        self.assertEqual([r["name"] for r in rows], [name] * 3 + [f"{name}_{a}" for a in EVERY])
        self.assertEqual([r.get("repetition_index") for r in rows], [0, 1, 2] + [None] * 4)
        times = [r["real_time"] for r in rows]
        self.assertAlmostEqual(times[3], sum(times[:3]) / 3, delta=times[3] * 1e-9)
        self.assertEqual(times[4], sorted(times[:3])[1])
        for family in ("aggregates", "shown_aggregates"):
            self.assertEqual(self.instances(family),
                             [f"/iterations:2/repeats:3_{a}" for a in EVERY])

    def test_fixtures(self):
        self.assertEqual(self.fixtures, {"fixture": (3, 3, 15, 3), "fixture_bare": (0, 1, 5, 0),
                                         "fixture_fails": (1, 1, 0, 1)})
        self.assertEqual(self.of("fixture")[0]["threads"], 3)

    def test_complexity(self):
        for family, order in (("o_1", "(1)"), ("o_n", "N"), ("o_n2", "N^2"), ("o_n3", "N^3"),
                              ("o_logn", "lgN"), ("o_nlogn", "NlgN"), ("o_fn", "f(N)")):
            *rows, found, rms = self.of(family)
            self.assertEqual(len(rows), 4)
            self.assertEqual((found["aggregate_name"], rms["aggregate_name"]), ("BigO", "RMS"))
            self.assertEqual(found["big_o"], order)
            self.assertAlmostEqual(found["real_coefficient"], 1e9 / 1024, places=3)
        self.assertEqual(len(self.of("o_none")), 4)
        # It goes by the CPU time, which is not made up.
        self.assertIn(self.of("o_auto")[-2]["big_o"], ("(1)", "N", "N^2", "N^3", "lgN", "NlgN"))

    def test_sleep_takes_real_time(self):
        for family in ("sleep", "sleep_real"):
            (row,) = self.of(family)
            self.assertGreaterEqual(row["real_time"], 10)
            self.assertLess(row["cpu_time"], 5)
            self.assertEqual(row["iterations"], 5)
        self.assertEqual(self.instances("sleep_real"), ["/iterations:5/real_time"])

    def test_manual_time(self):
        (row,) = self.of("claim")
        self.assertEqual((row["real_time"], row["time_unit"]), (500, "ms"))

    def test_process_time(self):
        (alone,), (process,) = self.of("helped"), self.of("helped_process")
        self.assertEqual(process["name"], "helped_process/iterations:3/process_time")
        self.assertLess(alone["cpu_time"], 5)
        self.assertGreaterEqual(process["cpu_time"], 10)

    def test_min_time(self):
        self.assertEqual(self.instances("min_time"), ["/min_time:0.125/manual_time"])
        self.assertEqual(self.instances("warm_up"),
                         ["/min_time:0.125/min_warmup_time:0.062/manual_time"])
        for family in ("min_time", "warm_up"):
            self.assertGreaterEqual(self.of(family)[0]["iterations"], 128)


class CommandLine(unittest.TestCase):
    def test_pause_excludes_a_sleep(self):
        # 30 ms of sleep: whoever is disturbed for long in one run is not in each of ten.
        report, _ = results("--benchmark_filter=^pause/", "--benchmark_repetitions=10")
        rows = [b for b in report["benchmarks"] if b["run_type"] == "iteration"]
        self.assertEqual(len(rows), 10)
        self.assertLess(min(r["real_time"] for r in rows), 15)

    def test_list_and_filter(self):
        listed = run("--benchmark_list_tests")
        self.assertEqual(listed.returncode, 0)
        listed = listed.stdout.splitlines()
        self.assertEqual(listed[:2], ["arg/7/iterations:3", "arg/0/iterations:3"])
        self.assertEqual(len(listed), len(set(listed)))
        self.assertEqual(names(results("--benchmark_filter=^(arg|batch)/")[0]),
                         listed[:2] + ["batch/iterations:25"])
        rest = run("--benchmark_list_tests", "--benchmark_filter=-^(arg|batch)/")
        self.assertEqual(set(listed) - set(rest.stdout.splitlines()),
                         set(listed[:2] + ["batch/iterations:25"]))

    def test_nothing_matches(self):
        done = run("--benchmark_filter=^nothing$")
        self.assertIn("Failed to match", done.stdout + done.stderr)

    def test_unknown_flag(self):
        done = run("--benchmark_nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--benchmark_nonsense", done.stderr)

    def test_csv(self):
        done = run("--benchmark_format=csv", "--benchmark_filter=^rates/")
        (row,) = csv.DictReader(io.StringIO(done.stdout))
        self.assertEqual(row["name"], "rates/iterations:4/manual_time")
        self.assertEqual((row["iterations"], row["real_time"], row["time_unit"]),
                         ("4", "2.5e+08", "ns"))
        self.assertEqual((row["items_per_second"], row["bytes_per_second"]), ("32", "16384"))
        self.assertEqual(row["label"], 'a label, "quoted"')

    def test_out_gets_each_run_of_what_is_shown_as_aggregates(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "out.json")
            for family, runs in (("shown_aggregates", 3), ("aggregates", 0)):
                report, _ = results(f"--benchmark_filter=^{family}/", f"--benchmark_out={path}",
                                    "--benchmark_out_format=json")
                with open(path, encoding="utf-8") as file:
                    written = json.load(file)
                self.assertEqual(len(report["benchmarks"]), 4)
                self.assertEqual(len(written["benchmarks"]), 4 + runs)

    def test_repetitions_of_fixtures(self):
        report, fixtures = results("--benchmark_filter=^fixture/", "--benchmark_repetitions=4")
        self.assertEqual(len(report["benchmarks"]), 4 + len(EVERY))
        self.assertEqual(fixtures["fixture"], (12, 12, 60, 12))

    def test_random_interleaving(self):
        report, _ = results("--benchmark_filter=^(arg|rates|dense)/",
                            "--benchmark_enable_random_interleaving=true",
                            "--benchmark_repetitions=5")
        runs = [(b["name"], b["repetition_index"]) for b in report["benchmarks"]
                if b["run_type"] == "iteration"]
        single = names(results("--benchmark_filter=^(arg|rates|dense)/")[0])
        self.assertEqual(len(single), 7)
        self.assertEqual(sorted(runs), sorted((name, i) for name in single for i in range(5)))
        for row in report["benchmarks"]:
            if row["name"] == "rates/iterations:4/manual_time":
                self.assertEqual(row["items_per_second"], 32)

    def test_exceptions_end_the_process(self):
        for where, call in (("register", "bench_register"), ("fixture", "bench_register_fixture"),
                            ("names", "bench_arg_names"), ("context", "bench_add_context"),
                            ("counter", "bench_set_counter"), ("label", "bench_set_label"),
                            ("error", "bench_skip_with_error")):
            done = run(f"throw={where}")
            self.assertEqual(done.returncode, 1, where)
            self.assertIn(f"bench: {call}: basic_string", done.stderr)


if __name__ == "__main__":
    unittest.main()

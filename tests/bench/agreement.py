"""How imported rewards agree with the official results of the τ²-bench runs in CM2_DATA.

    CM2_DATA=… python tests/bench/agreement.py [DOMAIN …]

For each run file: `cm2 import tau2 RUN --diagnostics`, then `cm2 score --format tau2 --agree` with
the spec that this gives; both in this process. The rows of a domain's files add up to `all files`,
without the `toolorchestra` files, whose rewards belong to other versions of the tasks.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cm2.bundle import open_spec
from cm2.commands.score_report import agreement_text
from cm2.formats.tau2 import read
from cm2.importers.options import Options as ImportOptions
from cm2.importers.tau2 import read as read_tasks
from cm2.importers.write import write_specs
from cm2.scoring.tally import Tally
from cm2.scoring.units import batches
from cm2.scoring.worker import Options, Worker

OTHER_VERSIONS = "toolorchestra"


def main(domains: Iterable[str]) -> None:
    root = Path(os.environ["CM2_DATA"]) / "tau2"
    for domain in domains or sorted(path.name for path in root.iterdir() if path.is_dir()):
        runs = sorted((root / domain / "runs").glob("*.json.gz"))
        apart = [path for path in runs if path.name.startswith(OTHER_VERSIONS)]
        for files in ([path for path in runs if path not in apart], apart):
            tally = Tally()
            for path in files:
                tally.add(scored(path))
            if files:
                print(f"## {domain}: {tally.dialogues} dialogues, {tally.rejected} rejected\n")
                print(agreement_text(tally) + "\n")


def scored(path: Path) -> Tally:
    """The counts of one run file under the spec of its own tasks."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        specs = write_specs(read_tasks(path, ImportOptions(diagnostics=True)), Path(folder))
        for spec in specs:
            worker = Worker(open_spec(spec), Options(agree=True))
            for unit in batches(path, read(path)):
                tally.add(worker.score(unit).tally)
    return tally


if __name__ == "__main__":
    main(sys.argv[1:])

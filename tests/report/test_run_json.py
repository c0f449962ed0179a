from __future__ import annotations

import json

from sipreplay.report.model import RunSummary
from sipreplay.report.run_json import summary_json
from sipreplay.stats.histogram import Histogram


def test_the_document_survives_json_and_its_histograms_can_be_merged(summary: RunSummary) -> None:
    document = json.loads(json.dumps(summary_json(summary)))
    assert document["schema"] == "sipreplay/run/1"
    assert document["verdict"] == {"name": "failed", "exit_code": 1, "reasons": summary.reasons}
    assert document["uac"]["failed"] == 14
    restored = Histogram.from_dict(document["uac"]["setup_time"])
    assert restored.percentile(95) == summary.uac.setup_time.percentile(95)
    assert document["uac"]["times"][1]["p95_ms"] == restored.percentile(95) / 1000


def test_media_is_null_without_media(summary: RunSummary) -> None:
    assert summary_json(summary)["media"]["lost"] == 131
    summary.media = None
    assert summary_json(summary)["media"] is None

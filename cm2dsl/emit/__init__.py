"""IR to bundle: reward.py, the judge's templates, the IR as JSON, and the manifest."""

MANIFEST = "manifest.json"

"""Whether run files are of the spec's domain: task ids of two domains may be the same numbers.

A name alone decides nothing, since an import can give a spec any name (`--name`). So a run of
another name, or of none, is looked at for its tools. Domains share a few (a calculator, the
transfer to a person): a run is of another domain if most of its tools are not the spec's.
"""

from __future__ import annotations

from cm2.formats.origin import Origin
from cm2.formats.source import SourceFault
from cm2dsl import ir
from cm2dsl.names import name_of


class Origins:
    """Accepts the run files of one spec's domain.

    `others` are files whose domain has another name and whose tools fit, each with that name;
    `refused` the files that were not accepted.
    """

    def __init__(self, spec: ir.Spec) -> None:
        self.domain = spec.domain
        self.tools = {tool.name for tool in spec.tools}
        self.others: dict[str, str] = {}
        self.refused: dict[str, None] = {}

    def __call__(self, origin: Origin) -> None:
        """Raises SourceFault where the run is of another domain."""
        if origin.domain and name_of(origin.domain) == name_of(self.domain):
            return
        known = origin.tools & self.tools
        if 2 * len(known) < len(origin.tools):
            self.refused[origin.file] = None
            raise self._fault(origin, len(known))
        if origin.domain:
            self.others[origin.file] = origin.domain

    def _fault(self, origin: Origin, known: int) -> SourceFault:
        count = len(origin.tools)
        has = f"of the {count} tools of its tasks, the spec `{self.domain}` has {known or 'none'}"
        if not origin.domain:
            help = f"give a run of `{self.domain}`, or the spec of the run's domain"
            return SourceFault(origin.file, None, "", f"a run of another domain: {has}", help)
        message = f"a run of the domain `{origin.domain}`: {has}"
        help = f"give a run of `{self.domain}`, or the spec of `{origin.domain}`"
        return SourceFault(origin.file, None, "", message, help)

# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: evidence of a period as one zip file, with all that is needed to check it.

The same evidence gives the same bytes: no clock, no order of the disk. Runs on the control node.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, canonical
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest

_README = """\
Evidence of {name}
{line}

This is what Keepwell recorded of the machines of {name}: {runs} runs, from {first} to {last} (UTC).
{links}
What is in it
  runs/<run>/run.json        the run as a whole: which machines, what was found, what was done
  runs/<run>/hosts/          each machine: what was seen, and how it was judged
  runs/<run>/changes/, plans/, backups/, ...   what was done, what would have been, what was restored
  runs/<run>/manifest.json   the hash of each of these files, and of the manifest of the run before
  runs/<run>/manifest.json.sig, .tsq, .tsr     signature; request for a time stamp, and the time stamp
  allowed_signers, timestamp_ca.pem            the keys that may sign, the authority of the time stamps
  SHA256SUMS                 the hash of each file of this pack
  verify.py                  says what holds and what does not

Verify this yourself
  1. sha256sum --check SHA256SUMS
       is the pack whole, as it was made?
  2. python3 verify.py --head {head}
       does everything hold? It needs Python 3.6 or newer, ssh-keygen (OpenSSH 8.7 or newer), and for time stamps
       openssl. It is one file that you can read, needs no network and leaves nothing behind. Take the head from a
       report that you got at the time, not from this file: then nobody can have replaced the evidence as a whole.
  3. {signature}

What this shows, and what not
  A file that was changed, added, removed or swapped shows, and so does a run that was taken out. A signature shows
  who vouched for it, a time stamp that it existed by then. A pack that ends too early shows only against a head that
  you noted. Nothing here shows that what was recorded was true when it was recorded.
"""
_BY_HAND = """\
ssh-keygen -Y verify -n {namespace} -f allowed_signers -I {identity} \\
         -s runs/{run_id}/manifest.json.sig < runs/{run_id}/manifest.json
       the same for one signature by hand. Compare allowed_signers with the keys that you were told."""
_NO_SIGNATURE = "The runs are not signed: without a head that you noted, the pack could have been made anew as a whole."


@dataclass(frozen=True)
class Choice:
    """Which runs go into a pack: whole ones, and manifests alone that the chain needs to be checked."""

    runs: list[Manifest]
    links: list[Manifest]

    @property
    def chain(self) -> list[Manifest]:
        """All of them, in order."""
        return [*self.runs, *self.links]


def choose(chain: Sequence[Manifest], first_day: str = "", last_day: str = "") -> Choice:
    """Return the runs that ended in a period (days, both included, UTC), and those whose manifests these need.

    Later manifests are needed up to the signature that covers the last run, and up to the record of what was deleted.
    Raises EvidenceError for a period without runs. Pure.
    """
    chosen = [
        place
        for place, seal in enumerate(chain)
        if first_day <= seal.ended_at[:10] and (not last_day or seal.ended_at[:10] <= last_day)
    ]
    if not chosen:
        there = (
            f"They begin on {chain[0].ended_at[:10]} and end on {chain[-1].ended_at[:10]}"
            if chain
            else "There are none"
        )
        raise EvidenceError(
            f"No run ended between {first_day or 'the beginning'} and {last_day or 'now'}. {there}: "
            "change keepwell_pack_from and keepwell_pack_to."
        )
    begin, end = chosen[0], chosen[-1]
    runs = chain[begin : end + 1]
    inside = {seal.run_id for seal in runs}
    deleting = [place for place, seal in enumerate(chain) if place > end and inside & set(seal.deleted)]
    stop = max([end, *deleting])
    signed = [place for place, seal in enumerate(chain) if place >= stop and seal.signed_by]
    stop = signed[0] if signed else stop
    return Choice(list(runs), list(chain[end + 1 : stop + 1]))


def make(store: Store, client: Client, options: AuditOptions, choice: Choice, target: Path) -> None:
    """Write a pack to ``target``, which does not exist yet. Raises EvidenceError when it cannot be read or written."""
    top = f"{client.id}-evidence/"
    sums = {}
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, source in sorted(_files(store, client, options, choice)):
                sums[name] = _add(archive, top + name, source)
            listing = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
            _add(archive, top + verify.SUMS, listing.encode())
    except OSError as exc:
        raise EvidenceError(f"The pack could not be made: {exc.filename or target}: {exc.strerror}.") from exc


def _files(store: Store, client: Client, options: AuditOptions, choice: Choice) -> Iterator[tuple[str, Path | bytes]]:
    """Yield every file of the pack but SHA256SUMS: its name, and its content or where it is."""
    last = choice.chain[-1]
    head = store.manifest_hash(last.run_id)
    yield (
        verify.PACK,
        canonical(
            {
                "client": client.id,
                "name": client.name,
                "runs": [seal.run_id for seal in choice.runs],
                "links": [seal.run_id for seal in choice.links],
                "head": head,
            }
        ),
    )
    yield "README.txt", _readme(client, choice, head).encode()
    yield "verify.py", Path(verify.__file__)
    for name, path in ((verify.SIGNERS, options.allowed_signers), (verify.AUTHORITY, options.timestamp_ca)):
        if path and Path(path).is_file():
            yield name, Path(path)
    for seal in choice.chain:
        folder = store.run_dir(seal.run_id)
        names = [*verify.SEALS, *(seal.files if seal in choice.runs else ())]
        for name in names:
            if (folder / name).is_file():
                yield f"runs/{seal.run_id}/{name}", folder / name


def _readme(client: Client, choice: Choice, head: str) -> str:
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in client.name).split())
    signed = [seal for seal in choice.chain if seal.signed_by]
    links = f"Of the {len(choice.links)} runs after them there is the manifest alone: the check needs it.\n"
    by_hand = _NO_SIGNATURE
    if signed:
        by_hand = _BY_HAND.format(namespace=verify.NAMESPACE, identity=signed[-1].signed_by, run_id=signed[-1].run_id)
    return _README.format(
        name=name,
        line="=" * (len(name) + 12),
        runs=len(choice.runs),
        first=choice.runs[0].started_at,
        last=choice.runs[-1].ended_at,
        links=links if choice.links else "",
        head=head,
        signature=by_hand,
    )


def _add(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> str:
    """Put a file into the archive and return its SHA-256."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o640 << 16
    made = hashlib.sha256()
    with (
        io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream,
        archive.open(entry, "w", force_zip64=True) as packed,
    ):
        while block := stream.read(1 << 20):
            made.update(block)
            packed.write(block)
    return made.hexdigest()

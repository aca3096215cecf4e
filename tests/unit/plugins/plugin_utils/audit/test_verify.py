"""Every way to tamper with evidence is told in words; what nobody touched verifies with next to nothing installed."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import random
import shutil
import subprocess
import sys
import typing as t
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fleet_runs import NOW, change, host_evidence, record, verification
from sealed_client import ACME, DAY, IDENTITY, allow, authority, make_key, prepared

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import pack, signing, stamping, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store

PROGRAM = Path(verify.__file__)


@dataclass
class Made:
    """A small recorded client: its evidence, its pack, and the pack unpacked."""

    store: Store
    options: AuditOptions
    ids: list[str]
    archive: Path
    folder: Path
    key: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Made]:
    base = tmp_path_factory.mktemp("client")
    with authority(base / "tsa") as tsa:
        told = prepared(base / "files", timestamp_url=tsa.url, timestamp_ca=str(tsa.certificate))
        store, signer = Store(base / "state", "acme"), signing.signer_of(told)
        ids = []
        for place in range(3):
            hosts = [host_evidence(name, {"capacity.space": "act"}) for name in ("db1", "web1")]
            work = [change("web1", "done")] if place == 1 else []
            proofs = [verification("db1")] if place == 2 else []
            more = {"changes": work, "verifications": proofs, "signer": signer}
            ids.append(record(store, hosts, at=NOW + DAY * place, **more))
        assert stamping.stamp(store, told, ids[0]) == []
        yield unpacked(store, told, ids, base)


def unpacked(store: Store, told: AuditOptions, ids: list[str], base: Path) -> Made:
    archive = base / "acme.zip"
    pack.make(store, ACME, told, pack.choose(store.sealed()), archive)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(base / "unpacked")
    return Made(store, told, ids, archive, base / "unpacked" / "acme-evidence", base / "files" / "key")


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


def look(folder: Path, **more: t.Any) -> verify.Verification:
    return verify.Verification(verify.open_place(str(folder))).look(**more)


def failures(folder: Path, **more: t.Any) -> list[str]:
    return [sentence.text for sentence in look(folder, **more).sentences if sentence.holds is False]


def sum_up(folder: Path) -> None:
    """Write SHA256SUMS anew, as somebody would who knows how packs are made."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != verify.SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / verify.SUMS).write_text("".join(lines))


def bare(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with nothing but what an auditor's machine has."""
    command = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "python3", "-I", "-S", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


# --- untouched


def test_an_untouched_pack_verifies_with_next_to_nothing(made: Made, tmp_path: Path) -> None:
    done = bare("verify.py", cwd=made.folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.endswith(verify.conclusion(0) + "\n")
    assert "NOT OK" not in done.stdout
    as_it_came = bare(made.folder / "verify.py", made.archive, cwd=tmp_path)
    assert as_it_came.stdout == done.stdout
    sums = subprocess.run(
        ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "sha256sum", "--quiet", "--check", "SHA256SUMS"],
        cwd=made.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (sums.returncode, sums.stdout) == (0, "")


def test_the_signature_by_hand_of_the_readme_works(made: Made) -> None:
    text = (made.folder / "README.txt").read_text()
    command = text[text.index("ssh-keygen -Y verify") : text.index("       the same for one")]
    done = subprocess.run(["bash", "-c", command], cwd=made.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f'Good "keepwell-evidence" signature for {IDENTITY}' in done.stdout


def test_evidence_in_the_state_directory_verifies_by_the_same_program(made: Made) -> None:
    done = bare(
        PROGRAM, made.store.root, "--allowed-signers", made.options.allowed_signers,
        "--timestamp-ca", str(made.options.timestamp_ca), "--head", made.store.manifest_hash(made.ids[2]),
        cwd=made.folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "The head that you noted is that of run" in done.stdout
    assert "The list of keys is your own." in done.stdout


def test_without_openssl_stamps_are_said_to_be_unchecked(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.shutil, "which", lambda name: None if name == "openssl" else f"/usr/bin/{name}")
    seen = look(made.folder)
    assert seen.holds
    assert "Time stamps that were not checked: 1; openssl is not installed." in [one.text for one in seen.sentences]


def test_without_ssh_keygen_nothing_is_said_to_hold(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.shutil, "which", lambda name: None if name == "ssh-keygen" else f"/usr/bin/{name}")
    assert failures(made.folder)[0].endswith("was not checked: ssh-keygen is not installed.")


# --- tampering, over all files


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :]


def changed(content: bytes, chance: random.Random) -> t.Iterator[tuple[str, bytes]]:
    places = {0, len(content) // 2, len(content) - 1, *(chance.randrange(len(content)) for _ in range(5))}
    for place in sorted(places):
        yield f"byte {place}", flip(content, place)
    yield "cut in half", content[: len(content) // 2]
    yield "cut by one", content[:-1]
    yield "one more", content + b"\n"
    yield "emptied", b""


@pytest.fixture
def patient_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask ssh-keygen and openssl every question once: most files are those of the attempt before."""
    known: dict[t.Any, tuple[int, str]] = {}
    ask = verify.run_tool

    def remembered(command: t.Sequence[str], content: bytes = b"") -> tuple[int, str]:
        words = tuple(Path(word).read_bytes() if Path(word).is_file() else word for word in command)
        if (words, content) not in known:
            known[words, content] = ask(command, content)
        return known[words, content]

    monkeypatch.setattr(verify, "run_tool", remembered)


@pytest.mark.usefixtures("patient_tools")
def test_any_changed_or_missing_file_of_a_pack_is_told(copy: Path) -> None:
    chance = random.Random(20261127)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        for what, other in changed(content, chance):
            path.write_bytes(other)
            told = failures(copy)
            assert told, f"{path.name}: {what}"
            assert any(path.name in text for text in told), (path.name, what, told)
        path.unlink()
        assert any(path.name in text for text in failures(copy)), f"{path.name} removed"
        path.write_bytes(content)
    assert failures(copy) == []


@pytest.mark.usefixtures("patient_tools")
def test_any_changed_or_missing_file_of_a_run_is_told_even_when_the_sums_are_made_anew(copy: Path) -> None:
    chance = random.Random(20261128)
    for path in sorted(path for path in (copy / "runs").rglob("*") if path.is_file()):
        content = path.read_bytes()
        # Request and reply have bytes that say nothing: changed, they still count for the very same manifest.
        kinds = [] if path.name in (verify.QUERY, verify.TOKEN) else list(changed(content, chance))
        for what, other in kinds:
            path.write_bytes(other)
            sum_up(copy)
            assert failures(copy), f"{path}: {what}"
        path.unlink()
        sum_up(copy)
        seen = look(copy)
        removed = [
            one.text for one in seen.sentences if one.holds is None and "was asked for and has not come" in one.text
        ]
        assert not seen.holds or (path.name == verify.TOKEN and removed), f"{path} removed"
        path.write_bytes(content)
    sum_up(copy)
    assert failures(copy) == []


@pytest.mark.parametrize("taken", [[0], [1], [2], [1, 2], [0, 1, 2]])
def test_files_that_were_taken_out_are_told_even_when_the_list_of_the_pack_says_so(
    made: Made, copy: Path, taken: list[int]
) -> None:
    listed = json.loads((copy / verify.PACK).read_text())
    for run_id in (made.ids[place] for place in taken):
        listed["runs"].remove(run_id)
        listed["links"].append(run_id)
        for path in sorted((copy / "runs" / run_id).rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif path.name not in verify.SEALS:
                path.unlink()
    (copy / verify.PACK).write_bytes(verify.canonical(listed))
    sum_up(copy)
    [told] = failures(copy)
    assert "files were taken out" in told
    notes = [one.text for one in look(copy).sentences if one.holds is None]
    assert any("the pack has the manifest alone" in text for text in notes)


@pytest.mark.usefixtures("patient_tools")
def test_two_files_that_changed_places_are_told(copy: Path) -> None:
    files = sorted(path for path in (copy / "runs").rglob("*") if path.is_file())
    for one, other in zip(files, files[1:] + files[:1], strict=True):
        first, second = one.read_bytes(), other.read_bytes()
        if first == second:
            continue
        one.write_bytes(second)
        other.write_bytes(first)
        sum_up(copy)
        assert failures(copy), f"{one} and {other}"
        one.write_bytes(first)
        other.write_bytes(second)
    sum_up(copy)
    assert failures(copy) == []


def test_a_run_that_was_taken_out_or_swapped_is_told(made: Made, copy: Path) -> None:
    first, second, third = (copy / "runs" / run_id for run_id in made.ids)
    second.rename(copy / "away")
    assert f"Between runs {made.ids[0]} and {made.ids[2]} of acme a run is missing." in failures(copy)
    first.rename(second)
    assert f"{second}/manifest.json was damaged or edited: it is no manifest of run {made.ids[1]}." in failures(copy)
    second.rename(first)
    (copy / "away").rename(second)
    third.rename(copy / "away")
    assert f"The manifest of run {made.ids[2]} is missing." in failures(copy)


def test_a_file_or_a_link_that_was_added_is_told(made: Made, copy: Path) -> None:
    more = copy / "runs" / made.ids[0] / "hosts" / "web9.json"
    more.write_text("{}")
    sum_up(copy)
    assert failures(copy) == [f"{more} was added after the run was sealed."]
    more.unlink()
    host = more.with_name("web1.json")
    host.rename(copy.parent / "outside.json")
    host.symlink_to(copy.parent / "outside.json")
    assert f"{host} is no plain file." in failures(copy)


# --- signatures of somebody else


def again(folder: Path, sign: Callable[[bytes], bytes]) -> None:
    """Sign all manifests anew, and make the sums fit."""
    for path in (folder / "runs").glob("*/manifest.json"):
        path.with_name(verify.SIGNATURE).write_bytes(sign(path.read_bytes()))
    sum_up(folder)


def signer(key: Path, namespace: str = verify.NAMESPACE) -> Callable[[bytes], bytes]:
    command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key)]
    return lambda content: subprocess.run(command, input=content, capture_output=True, check=True).stdout


def test_a_wrong_key_is_told_with_its_fingerprint(copy: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    again(copy, signer(tmp_path / "stranger"))
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "stranger"], capture_output=True, text=True, check=True)
    told = failures(copy)
    assert len(told) == 3
    assert all(
        f"the signature is by key {shown.stdout.split()[1]}, which allowed_signers does not allow" in x for x in told
    )


def test_a_wrong_namespace_is_told(made: Made, copy: Path) -> None:
    again(copy, signer(made.key, "git"))
    assert [text.split(": ", 1)[1] for text in failures(copy)] == [
        "the signature was made for 'git', not for 'keepwell-evidence'."
    ] * 3


def test_somebody_who_replaces_the_list_of_keys_too_shows_by_your_own_list(
    made: Made, copy: Path, tmp_path: Path
) -> None:
    public = make_key(tmp_path / "stranger")
    (copy / verify.SIGNERS).unlink()
    allow(copy / verify.SIGNERS, public)
    again(copy, signer(tmp_path / "stranger"))
    assert any("Compare the keys with those you were told" in one.text for one in look(copy).sentences)
    own = verify.Verification(verify.Folder(str(copy)), made.options.allowed_signers).look()
    assert not own.holds


def rewritten(folder: Path) -> None:
    """What somebody without the key can do: change a host, make all hashes anew, and leave out the signatures."""
    before: tuple[str | None, str | None] = (None, None)
    for place in sorted((folder / "runs").iterdir()):
        manifest = json.loads((place / verify.MANIFEST).read_bytes())
        host = place / "hosts" / "web1.json"
        host.write_bytes(host.read_bytes().replace(b'"act"', b'"ok"'))
        content = host.read_bytes()
        manifest["files"]["hosts/web1.json"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        manifest["previous_run_id"], manifest["previous_manifest_sha256"] = before
        manifest["signed_by"] = None
        whole = verify.canonical(manifest)
        (place / verify.MANIFEST).write_bytes(whole)
        (place / verify.SIGNATURE).unlink()
        before = (manifest["run_id"], hashlib.sha256(whole).hexdigest())
    sum_up(folder)


def test_evidence_that_was_made_anew_without_the_key_is_told(made: Made, copy: Path) -> None:
    rewritten(copy)
    told = failures(copy)
    assert any(text.startswith("The newest runs, 3 from ") and "are not signed" in text for text in told), told
    assert any("the time stamp is of something else" in text for text in told), told
    head = made.store.manifest_hash(made.ids[1])
    assert any(
        text.startswith(f"No run here has the head that you noted, {head}") for text in failures(copy, heads=[head])
    )


def test_what_a_later_signature_says_of_runs_that_were_rewritten_before_it_is_not_overstated(
    made: Made, tmp_path: Path
) -> None:
    """Whoever may write where evidence lies can rewrite it between two runs, and the next one signs what it finds."""
    store = Store(tmp_path / "state", "acme")
    shutil.copytree(made.store.root, store.root)
    rewritten(store.root)
    for seal in store.root.glob("runs/*/manifest.json.ts?"):
        seal.unlink()
    signer = signing.signer_of(made.options)
    assert signer is not None
    later = record(store, [host_evidence("web1", {})], at=NOW + DAY * 3, signer=signer)
    seen = verify.Verification(verify.Folder(str(store.root)), made.options.allowed_signers).look()
    known = " ".join(sentence.text for sentence in seen.sentences if sentence.holds is None)
    ended = store.sealed()[-1].ended_at
    assert f"of their own: 3, the newest of them {made.ids[2]}; that of run {later}, which came later" in known
    assert f"vouches through the chain for how they were on {ended}, and nothing for how they were before." in known
    head = made.store.manifest_hash(made.ids[2])
    told = verify.Verification(verify.Folder(str(store.root)), made.options.allowed_signers).look(heads=[head])
    assert not told.holds


# --- an older head


def test_an_older_state_shows_against_the_head_that_was_noted(made: Made, tmp_path: Path) -> None:
    """Replay: everything holds in itself, and a run that a report told of is not there."""
    older = Store(tmp_path / "state", "acme")
    shutil.copytree(made.store.root, older.root)
    shutil.rmtree(older.run_dir(made.ids[2]))
    place = verify.Folder(str(older.root))
    newest = made.store.manifest_hash(made.ids[2])

    def seen(*heads: str) -> verify.Verification:
        return verify.Verification(place, made.options.allowed_signers, made.options.timestamp_ca).look(heads=heads)

    assert seen().holds
    told = [sentence.text for sentence in seen(newest).sentences if sentence.holds is False]
    assert told[0].startswith(f"No run here has the head that you noted, {newest}: this is an older or another state")
    noted = [sentence.text for sentence in seen(made.store.manifest_hash(made.ids[0])).sentences if sentence.holds]
    assert f"The head that you noted is that of run {made.ids[0]}; runs that were added since: 1." in noted


@pytest.mark.parametrize("text", ["", "abc", "z" * 64, "a" * 63])
def test_what_is_no_head_is_refused(made: Made, text: str) -> None:
    done = bare("verify.py", "--head", text, cwd=made.folder)
    assert done.returncode == 2
    assert "argument --head: a head has 64 digits of 0-9 and a-f" in done.stderr


def test_a_head_may_be_typed_in_groups(made: Made) -> None:
    head = made.store.manifest_hash(made.ids[2])
    typed = " ".join(head[place : place + 8] for place in range(0, 64, 8)).upper()
    assert bare("verify.py", "--head", typed, cwd=made.folder).returncode == 0


# --- one run, one period, strange places


def test_one_run_or_the_runs_since_a_day_can_be_looked_at_alone(made: Made, copy: Path) -> None:
    host = copy / "runs" / made.ids[0] / "hosts" / "web1.json"
    host.write_bytes(flip(host.read_bytes(), 20))
    sum_up(copy)
    assert failures(copy, run=made.ids[0]) == failures(copy) != []
    assert failures(copy, run=made.ids[1]) == []
    day = made.store.sealed()[1].ended_at[:10]
    assert failures(copy, since=day) == []
    assert failures(copy, run="01K0000000000000000000000Z")[0] == "Run 01K0000000000000000000000Z is not here."
    assert failures(copy, since="2099-01-01")[0] == "No run here ended on or after 2099-01-01."


def test_what_is_no_evidence_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert bare(PROGRAM, tmp_path, cwd=tmp_path).stdout.startswith("NOT OK  There is no sealed run here")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and no more")
    assert "is no whole zip file" in bare(PROGRAM, "torn.zip", cwd=tmp_path).stdout
    done = bare(PROGRAM, tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr


def test_hostile_manifests_do_not_break_it(copy: Path) -> None:
    manifest = next((copy / "runs").glob("*/manifest.json"))
    for content in (b"[" * 100_000, b"null", b'{"run_id": 1}', b"\xff\xfe", b'{"files": {"../../x": 1}}'):
        manifest.write_bytes(content)
        assert any("was damaged or edited" in text for text in failures(copy))


@pytest.mark.parametrize("runs", [[1], [["x"]], [None], [{}]])
def test_a_hostile_list_of_runs_does_not_break_it(copy: Path, runs: list[t.Any]) -> None:
    (copy / verify.PACK).write_text(json.dumps({"runs": runs, "links": []}))
    sum_up(copy)
    assert any("pack.json is missing or was changed" in text for text in failures(copy))


def test_a_hostile_list_of_deleted_files_does_not_break_it(copy: Path) -> None:
    path = next((copy / "runs").glob("*/manifest.json"))
    manifest = json.loads(path.read_bytes())
    path.write_bytes(verify.canonical({**manifest, "deleted": {manifest["run_id"]: [["x"]]}}))
    assert any("was damaged or edited" in text for text in failures(copy))


@pytest.mark.usefixtures("patient_tools")
@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_of_another_kind_that_is_damaged_is_told(made: Made, tmp_path: Path, kind: int) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", kind) as packed:
        for file in sorted(made.folder.rglob("*")):
            if file.is_file():
                packed.write(file, f"acme/{file.relative_to(made.folder)}")
    content = path.read_bytes()
    chance = random.Random(5)
    for _ in range(30):
        path.write_bytes(flip(content, chance.randrange(len(content))))
        with contextlib.suppress(verify.Unreadable):
            look(path)


def test_names_cannot_steer_a_terminal() -> None:
    assert verify.plain("run \x1b[2J\u202e\n") == "run ?[2J??"


@pytest.mark.usefixtures("patient_tools")
def test_a_damaged_archive_is_told(made: Made, tmp_path: Path) -> None:
    content = made.archive.read_bytes()
    chance = random.Random(3)
    silent = 0
    for _ in range(40):
        (tmp_path / "bad.zip").write_bytes(flip(content, chance.randrange(len(content))))
        try:
            silent += look(tmp_path / "bad.zip").holds
        except verify.Unreadable:
            continue
    # Dates and flags of the container say nothing of the evidence in it.
    assert silent <= 8


# --- the program itself


def test_it_is_python_3_6_and_one_file() -> None:
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 6))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not names & {"__future__", "dataclasses"}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names

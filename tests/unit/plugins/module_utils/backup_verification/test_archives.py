"""Archives: every way in which one can be broken is seen, and nothing leaves the target."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import typing as t
import zipfile
from pathlib import Path

import pytest
from harness import need

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._archive import Archive

Make = t.Callable[..., t.Any]
SUFFIXES = ("tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst", "zip")
PROGRAMS = {"tar.gz": "gzip", "tar.xz": "xz", "tar.bz2": "bzip2", "tar.zst": "zstd"}


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is backed up: text and noise, a link out of it."""
    folder = tmp_path_factory.mktemp("content") / "srv"
    (folder / "books" / "deep").mkdir(parents=True)
    for number in range(20):
        (folder / "books" / f"{number}.txt").write_text(f"page {number}\n" * 500)
    (folder / "books" / "deep" / "noise ö").write_bytes(
        b"".join(hashlib.sha256(bytes([n])).digest() for n in range(200)) * 20
    )
    (folder / "link").symlink_to("/etc/passwd")
    os.link(folder / "books" / "1.txt", folder / "books" / "same.txt")
    return folder


def pack(content: Path, path: Path) -> Path:
    """Make an archive with the real programs."""
    suffix = path.name.partition(".")[2]
    if suffix == "zip":
        need(shutil.which("zip"), "zip (Debian package zip)")
        subprocess.run(["zip", "-qr", "--symlinks", str(path), "."], cwd=content, check=True)
        return path
    options = [f"--use-compress-program={PROGRAMS[suffix]}"] if suffix in PROGRAMS else []
    need(shutil.which(PROGRAMS.get(suffix, "tar")), f"{PROGRAMS.get(suffix)} (Debian package zstd)")
    subprocess.run(["tar", *options, "-cf", str(path), "-C", str(content), "."], check=True)
    return path


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def seal(path: Path) -> None:
    path.with_name(path.name + ".sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_archive(
    make: Make, content: Path, repository: Path, target: Path, suffix: str, same: t.Callable[[Path], str]
) -> None:
    path = pack(content, repository / f"files-2026-11-20.{suffix}")
    before = same(repository)
    options = {"base": "/srv", "time_format": "%Y-%m-%d", "utc": True}
    driver = make(
        Archive,
        repository,
        options=options,
        expected_paths=["/srv/books/deep", "/home"],
        unwanted_paths=["/srv/books/3.txt", "/x"],
    )
    found = driver.list()
    (entry,) = found["snapshots"]
    assert (entry["id"], entry["time"], entry["bytes"]) == (path.name, 1_795_132_800, path.stat().st_size)
    assert (found["missing"], found["unwanted"]) == (["/home"], ["/srv/books/3.txt"])
    for method in ("structure", "data", "subset"):
        answer = driver.check(method, 1, 4, path.name)
        assert (answer["outcome"], answer["errors"]) == ("ok", []), answer
    assert ("nothing that could prove" in answer["note"]) == (suffix == "tar")
    picked: dict[str, int] = {}
    assert driver.pick(path.name, lambda name, size, mtime: picked.update({name: size})).rc == 0
    assert picked["/srv/books/deep/noise ö"] == 128000
    assert "/srv/link" not in picked
    chosen = ["/srv/books/7.txt", "/srv/books/deep/noise ö"]
    answer = driver.restore(path.name, chosen, str(target))
    assert answer["outcome"] == "ok", answer
    for name, restored in answer["files"].items():
        assert Path(restored).read_bytes() == (content / name[len("/srv/") :]).read_bytes()
    assert sorted(answer["files"]) == sorted(chosen)
    shutil.rmtree(target)
    target.mkdir()
    assert driver.restore(path.name, None, str(target)) == {"outcome": "ok", "errors": [], "files": None}
    restored = {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    assert restored == {
        f"srv/{file.relative_to(content)}" for file in content.rglob("*") if file.is_file() and not file.is_symlink()
    }
    assert same(repository) == before


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_archive_is_damaged(
    make: Make, content: Path, repository: Path, target: Path, suffix: str, share: float
) -> None:
    path = pack(content, repository / f"a.{suffix}")
    os.truncate(path, int(path.stat().st_size * share))
    driver = make(Archive, repository)
    for method in ("structure", "data"):
        answer = driver.check(method, None, None, None)
        assert (answer["outcome"], answer["broken"]) == ("damaged", [path.name]), answer
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"


def test_a_tar_that_was_cut_between_two_files_is_damaged(make: Make, content: Path, repository: Path) -> None:
    path = pack(content, repository / "a.tar")
    with tarfile.open(path) as archive:
        offset = archive.getmembers()[10].offset
    os.truncate(path, offset)
    # GNU tar lists it without a word.
    assert subprocess.run(["tar", "-tf", str(path)], capture_output=True, check=False).returncode == 0
    answer = make(Archive, repository).check("structure", None, None, None)
    assert answer["outcome"] == "damaged"
    assert f"from byte {offset} on" in answer["errors"][0]


def test_a_spoiled_header_in_a_tar_is_damage_and_not_the_end(make: Make, content: Path, repository: Path) -> None:
    path = pack(content, repository / "a.tar")
    with tarfile.open(path) as archive:
        offset = archive.getmembers()[10].offset
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    for method in ("structure", "data"):
        assert make(Archive, repository).check(method, None, None, None)["outcome"] == "damaged"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_flipped_bit_is_seen_by_reading(make: Make, content: Path, repository: Path, suffix: str) -> None:
    path = pack(content, repository / f"a.{suffix}")
    flip(path, 0.3)
    driver = make(Archive, repository)
    plain = suffix == "tar"
    assert driver.check("data", None, None, None)["outcome"] == ("ok" if plain else "damaged")
    assert driver.check("structure", None, None, None)["outcome"] in ("ok", "damaged")


def test_only_a_stored_checksum_proves_a_plain_tar(make: Make, content: Path, repository: Path) -> None:
    path = pack(content, repository / "a.tar")
    seal(path)
    driver = make(Archive, repository)
    assert [entry["id"] for entry in driver.list()["snapshots"]] == ["a.tar"]
    answer = driver.check("data", None, None, None)
    assert answer["note"].startswith("Its stored SHA-256 is right.")
    flip(path, 0.3)
    assert driver.check("structure", None, None, None)["outcome"] == "ok"
    answer = driver.check("data", None, None, None)
    assert (answer["outcome"], answer["broken"]) == ("damaged", ["a.tar"])
    path.with_name("a.tar.sha256").unlink()
    (repository / "SHA256SUMS").write_text(f"{'0' * 64}  /backup/a.tar\n")
    assert driver.check("data", None, None, None)["outcome"] == "damaged"


def test_an_empty_file_is_no_backup(make: Make, repository: Path) -> None:
    (repository / "a.tar.gz").touch()
    driver = make(Archive, repository)
    assert driver.list()["snapshots"][0]["complete"] is False
    assert driver.check("structure", None, None, None)["outcome"] == "damaged"


def test_an_archive_that_holds_nothing_is_damaged(make: Make, repository: Path) -> None:
    with tarfile.open(repository / "a.tar", "w"):
        pass
    assert make(Archive, repository).check("structure", None, None, None)["outcome"] == "damaged"


def test_an_encrypted_zip_says_so(make: Make, content: Path, repository: Path) -> None:
    need(shutil.which("zip"), "zip (Debian package zip)")
    subprocess.run(["zip", "-qr", "-P", "x", str(repository / "a.zip"), "."], cwd=content, check=True)
    answer = make(Archive, repository).check("data", None, None, None)
    assert (answer["outcome"], "is encrypted" in answer["errors"][0]) == ("error", True)


def test_nothing_leaves_the_target(make: Make, repository: Path, place: Path, target: Path) -> None:
    outside = place / "outside"
    outside.mkdir()

    def member(
        name: str, kind: bytes = tarfile.REGTYPE, link: str = "", text: bytes = b"evil"
    ) -> tuple[tarfile.TarInfo, io.BytesIO]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = kind, link, 0o4777
        info.size = len(text) if kind == tarfile.REGTYPE else 0
        return info, io.BytesIO(text)

    members = [
        member("../outside/one"),
        member(f"{outside}/two"),
        member("link", tarfile.SYMTYPE, str(outside)),
        member("link/three"),
        member("hard", tarfile.LNKTYPE, "../../../../etc/shadow"),
        member("disk", tarfile.BLKTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("good", text=b"first"),
        member("good", text=b"second"),
        member("again", tarfile.LNKTYPE, "good"),
    ]
    with tarfile.open(repository / "a.tar", "w") as archive:
        for info, stream in members:
            archive.addfile(info, stream)
    answer = make(Archive, repository).restore(None, None, str(target))
    assert answer["outcome"] == "ok"
    assert list(outside.iterdir()) == []
    restored = {str(path.relative_to(target)): path for path in target.rglob("*") if not path.is_dir()}
    assert set(restored) == {str(outside / "two").lstrip("/"), "link/three", "good", "again"}
    assert restored["good"].read_bytes() == b"second"
    assert os.path.samefile(restored["good"], restored["again"])
    assert all(
        path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o7777 == 0o600 for path in restored.values()
    )


def test_paths_of_a_zip_stay_inside(make: Make, repository: Path, target: Path) -> None:
    with zipfile.ZipFile(repository / "a.zip", "w") as archive:
        archive.writestr("../../evil", "x")
        archive.writestr("/abs/file", "x")
        archive.writestr("fine", "x")
    answer = make(Archive, repository).restore(None, ["/fine", "/abs/file"], str(target))
    assert (answer["outcome"], sorted(answer["files"])) == ("ok", ["/abs/file", "/fine"])
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == ["abs/file", "fine"]


def test_what_is_asked_for_and_not_there_is_told(make: Make, content: Path, repository: Path, target: Path) -> None:
    pack(content, repository / "a.tar.gz")
    answer = make(Archive, repository).restore(None, ["/books/1.txt", "/none"], str(target))
    assert (answer["outcome"], answer["errors"]) == ("damaged", ["/none is not in the archive."])
    assert list(answer["files"]) == ["/books/1.txt"]


def test_the_repository_can_be_a_pattern_or_one_file(make: Make, content: Path, repository: Path) -> None:
    for name in ("shop-1.tar", "books-1.tar", "shop-2.tar.part", "notes.txt"):
        shutil.copy(pack(content, repository / "x.tar"), repository / name)
    (repository / "x.tar").unlink()
    (repository / "shop-3.tar").symlink_to(repository / "shop-1.tar")

    def names(where: Path | str, **options: str) -> list[str]:
        return [entry["id"] for entry in make(Archive, where, options=options).list()["snapshots"]]

    assert names(repository) == ["shop-1.tar", "books-1.tar"]
    assert names(repository, pattern="books*") == ["books-1.tar"]
    assert names(repository / "shop-*") == ["shop-1.tar"]
    assert names(repository / "books-1.tar") == ["books-1.tar"]


def test_an_archive_that_is_being_written_is_no_damage(
    make: Make, content: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(content, repository / "a.tar.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    driver = make(Archive, repository)
    contents = driver.contents

    def slow(name: str, method: str) -> t.Any:
        try:
            return contents(name, method)
        finally:
            path.write_bytes(whole)

    monkeypatch.setattr(driver, "contents", slow)
    assert driver.check("structure", None, None, None)["outcome"] == "inconclusive"


def test_a_restore_of_an_archive_that_is_being_written_shows_no_damage(
    make: Make, content: Path, repository: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(content, repository / "a.tar.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    driver = make(Archive, repository)
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"
    each = driver._each_file

    def slow(*words: t.Any, **more: t.Any) -> None:
        try:
            each(*words, **more)
        finally:
            path.write_bytes(whole)

    monkeypatch.setattr(driver, "_each_file", slow)
    restored = driver.restore(None, None, str(target))
    assert restored["outcome"] == "error"
    assert "is being written" in restored["errors"][0]


def test_the_time_limit_ends_the_reading(make: Make, content: Path, repository: Path, target: Path) -> None:
    pack(content, repository / "a.tar.gz")
    driver = make(Archive, repository, limit=-1.0, expected_paths=["/books"])
    assert driver.check("data", None, None, None)["outcome"] == "error"
    assert driver.restore(None, None, str(target))["outcome"] == "timeout"
    assert driver.list()["missing"] is None

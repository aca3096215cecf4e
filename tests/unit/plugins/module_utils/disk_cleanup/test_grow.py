# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystems that are made larger: refused for every reason there is, planned in absolute sizes, and once for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _grow, _grow_facts, _space
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import OUTPUT_CAP, Output

GIB = 1 << 30
WANTED = {"mount": "/srv", "add_bytes": 3 * GIB, "step_percent": 20, "reserve_percent": 10}
MOUNTINFO = "36 25 {dev} / /srv {options} shared:1 - {fstype} {source} {super}\n"
LV = {
    "lv_name": "srv", "vg_name": "data", "lv_size": str(20 * GIB), "lv_attr": "-wi-ao----", "lv_health_status": "",
    "pool_lv": "", "segtype": "linear", "data_percent": "", "metadata_percent": "",
}  # fmt: skip
VG = {
    "vg_name": "data", "vg_size": str(100 * GIB), "vg_free": str(30 * GIB), "vg_missing_pv_count": "0",
    "vg_extent_size": str(4 << 20), "vg_attr": "wz--n-",
}  # fmt: skip
PVS = {"report": [{"pv": [{"pv_name": "/dev/vdb1", "vg_name": "data"}, {"pv_name": "/dev/md/big", "vg_name": "data"}]}]}
# As large as the device below: 1048576 blocks are 8388608 sectors.
TUNE2FS = "Filesystem state:         clean\nBlock count:              1048576\nBlock size:               4096\n"
XFS_INFO = "data     =                       bsize=4096   blocks=1048576, imaxpct=25\n"
SMALLER = TUNE2FS.replace("1048576", "786432")
GROWPART = "CHANGE: partition=1 start=2048 old: size=204800 end=206847 new: size=407519 end=409566\n"
SFDISK = {"partitiontable": {"label": "gpt", "partitions": [{"node": "/dev/vdb1", "start": 2048, "size": 204800}]}}


ARRAY = "Personalities : [raid1]\nmd127 : active raid1 vdc[1] vda[0]\n      1 blocks [2/2] [UU]\n\n"
REBUILT = ARRAY.replace("[UU]", "[UU]\n      [==>....]  recovery = 12.6% (1/8) finish=1.0min speed=1K/sec")


class Host:
    """A host as it was recorded, with one thing changed by a test."""

    def __init__(self, kind: str = "lvm", **changed: t.Any) -> None:
        dev = {"lvm": "253:0", "partition": "254:17", "disk": "254:16"}[kind]
        mount = {
            "dev": dev,
            "options": "rw",
            "fstype": "ext4",
            "source": "/dev/x",
            "super": "rw",
            **changed.get("mount", {}),
        }
        folder = f"/sys/dev/block/{dev}"
        self.files: dict[str, str] = {
            "/proc/self/mountinfo": MOUNTINFO.format(**mount),
            "/proc/mdstat": "",
            folder + "/size": "8388608\n",
        }
        self.folders: dict[str, list[str]] = {}
        self.links = {
            folder: {
                "lvm": "../../devices/virtual/block/dm-0",
                "partition": "../../devices/x/block/vdb/vdb1",
                "disk": "../../devices/x/block/vdb",
            }[kind]
        }
        if kind == "lvm":
            self.files |= {folder + "/dm/uuid": "LVM-abc\n", folder + "/dm/name": "data-srv\n"}
            self.files |= {"/sys/class/block/vdb1/partition": "1\n", "/proc/mdstat": ARRAY}
            self.links |= {"/dev/md/big": "../md127", "/sys/class/block/vdb1": "../../devices/x/block/vdb/vdb1"}
            self.links |= {f"/sys/class/block/{name}": f"../x/block/{name}" for name in ("md127", "vda", "vdb", "vdc")}
            self.folders = {"/sys/class/block/md127/slaves": ["vda", "vdc"]}
        if kind == "partition":
            self.files[folder + "/partition"] = "1\n"
        self.files |= changed.get("files", {})
        self.links |= changed.get("links", {})
        self.folders |= changed.get("folders", {})
        lvs = {"report": [{"lv": [{**LV, **changed.get("lv", {})}]}]}
        vgs = {"report": [{"vg": [{**VG, **changed.get("vg", {})}]}]}
        self.answers: dict[str, t.Any] = {
            "tune2fs": TUNE2FS, "xfs_info": XFS_INFO, "pvs": json.dumps(changed.get("pvs", PVS)), "dmesg": "", "lvs": json.dumps(lvs), "vgs": json.dumps(vgs), "lvextend --test": "",
            "sfdisk": json.dumps(changed.get("sfdisk", SFDISK)), "growpart": GROWPART, **changed.get("answers", {}),
        }  # fmt: skip
        self.sources: dict[str, t.Any] = {}

    def read(self, path: str, *_more: t.Any) -> str | None:
        return self.files.get(path)

    def readlink(self, path: str) -> str | None:
        return self.links.get(path)

    def listdir(self, path: str) -> list[str]:
        return self.folders.get(path, [])

    def exists(self, path: str) -> bool:
        return path in self.files

    def note(self, *_: t.Any) -> None:
        pass

    def run(self, argv: list[str], timeout: float = 3, accepted: t.Any = (0,), **_more: t.Any) -> Output:
        line = " ".join(argv)
        answer = self.answers[max((key for key in self.answers if line.startswith(key)), key=len)]
        if isinstance(answer, Output):
            return answer
        rc, text = answer if isinstance(answer, tuple) else (0, answer)
        return Output("ok" if rc in accepted else "error", rc, text if rc in accepted else "", text)


def test_a_volume_grows_by_an_absolute_step_within_its_limits() -> None:
    plan = _grow.plan(Host(), WANTED)
    to = 23 * GIB
    assert (plan["refused"], plan["kind"], plan["from_bytes"], plan["to_bytes"]) == (None, "lvm", 20 * GIB, to)
    assert plan["steps"] == [
        ["vgcfgbackup", "data"],
        ["lvextend", "-L", f"{to}b", "data/srv"],
        ["resize2fs", "/dev/mapper/data-srv"],
    ]
    assert _grow.plan(Host(), {**WANTED, "add_bytes": 50 * GIB})["to_bytes"] == 24 * GIB
    assert _grow.plan(Host(vg={"vg_free": str(12 * GIB)}), WANTED)["to_bytes"] == 22 * GIB
    xfs = _grow.plan(Host(mount={"fstype": "xfs"}), WANTED)
    assert xfs["steps"][-1] == ["xfs_growfs", "/srv"]
    words = [word for step in plan["steps"] + xfs["steps"] for word in step]
    assert not [word for word in words if word.startswith(("+", "-r", "--resizefs")) or "%" in word or "reduce" in word]


def test_the_last_partition_grows_to_the_end_of_its_disk() -> None:
    plan = _grow.plan(Host("partition"), WANTED)
    assert (plan["refused"], plan["from_bytes"], plan["to_bytes"]) == (None, 204800 * 512, 407519 * 512)
    assert plan["steps"] == [["growpart", "/dev/vdb", "1"], ["resize2fs", "/dev/vdb1"]]


MDSTAT = "Personalities : [raid1]\nmd0 : active raid1 vdc[1] vdb[0](F)\n      1 blocks [2/1] [_U]\n\n"
BEHIND = {
    "partitiontable": {
        "label": "gpt",
        "partitions": [*SFDISK["partitiontable"]["partitions"], {"node": "/dev/vdb2", "start": 300000, "size": 10}],
    }
}
DOS = {"partitiontable": {**SFDISK["partitiontable"], "label": "dos"}}
BIG = {"report": [{"pv": [{"pv_name": "/dev/mapper/big", "vg_name": "data"}]}]}


def on_dm(uuid: str, **more: t.Any) -> Host:
    """A volume group on a device of the device mapper."""
    links = {"/dev/mapper/big": "../dm-7", "/sys/class/block/dm-7": "../x/block/dm-7"}
    named = {"/sys/class/block/dm-7/dm/uuid": uuid + "\n", "/sys/class/block/dm-7/dm/name": "big\n"}
    return Host(pvs=BIG, links=links, files={**named, **more.pop("files", {})}, **more)


RAID_LINK = {"/sys/dev/block/254:16": "../../devices/virtual/block/md0"}


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("fstype", Host(mount={"fstype": "btrfs"})),
        ("read_only", Host(mount={"options": "ro"})),
        ("read_only", Host(mount={"super": "ro"})),
        ("no_filesystem", Host(files={"/proc/self/mountinfo": ""})),
        ("no_device", Host(mount={"dev": "0:99"})),
        ("layer", Host(files={"/sys/dev/block/253:0/dm/uuid": "CRYPT-LUKS2-x\n"})),
        ("layer", Host(files={"/sys/dev/block/253:0/dm/uuid": "mpath-3600\n"})),
        ("fs_errors", Host(answers={"tune2fs": "Filesystem state:         clean with errors\n"})),
        ("fs_errors", Host(answers={"tune2fs": TUNE2FS + "FS Error count:           3\n"})),
        ("fs_unknown", Host(answers={"tune2fs": (1, "no superblock")})),
        ("device_errors", Host("partition", answers={"dmesg": "[1.0] I/O error, dev vdb, sector 8 op 0x0\n"})),
        ("device_errors", Host(mount={"fstype": "xfs"}, answers={"dmesg": "XFS (dm-0): Metadata corruption detected\n"})),
        ("device_errors", Host(answers={"dmesg": "[1.0] Buffer I/O error on dev dm-0, logical block 0, async page read\n"})),
        ("fs_unknown", Host(answers={"dmesg": (1, "dmesg: read kernel buffer failed: Operation not permitted")})),
        ("fs_unknown", Host(answers={"dmesg": Output("timeout")})),
        ("fs_unknown", Host(answers={"dmesg": Output("ok", 0, "[1.0] the beginning of a long log\n", "", True)})),
        ("raid", Host("disk", links=RAID_LINK, files={"/proc/mdstat": MDSTAT, "/sys/block/md0/md/degraded": "1\n"})),
        ("raid", Host("disk", links=RAID_LINK)),
        ("raid", Host(files={"/proc/mdstat": REBUILT})),
        ("raid", Host(files={"/sys/block/md127/md/degraded": "1\n"})),
        ("raid", Host(files={"/proc/mdstat": ""})),
        ("raid", on_dm("CRYPT-LUKS2-x", folders={"/sys/class/block/dm-7/slaves": ["md127"]}, files={"/proc/mdstat": REBUILT})),
        ("layer", on_dm("mpath-3600")),
        ("layer", on_dm("LVM-other")),
        ("layer", Host(links={"/dev/md/big": "../drbd0", "/sys/class/block/drbd0": "../x/block/drbd0"})),
        ("layer", Host(links={"/dev/md/big": "../gone"})),
        ("device_errors", Host(answers={"dmesg": "[1.0] I/O error, dev vdc, sector 8 op 0x0\n"})),
        ("lvm", Host(pvs={"report": [{"pv": []}]})),
        ("vg_missing_pv", Host(vg={"vg_missing_pv_count": "1"})),
        ("clustered", Host(vg={"vg_attr": "wz--ns"})),
        ("lv_health", Host(lv={"lv_health_status": "refresh needed"})),
        ("segtype", Host(lv={"segtype": "raid5"})),
        ("thin_pool", Host(lv={"segtype": "thin", "pool_lv": "pool", "data_percent": "85.5"})),
        ("lvm", Host(answers={"lvs": (5, "Failed to find logical volume")})),
        ("lvm", Host(answers={"lvextend --test": (5, "insufficient suitable allocatable extents")})),
        ("no_room", Host(vg={"vg_free": str(10 * GIB)})),
        ("partition_table", Host("partition", answers={"sfdisk": (1, "does not contain a recognized partition table")})),
        ("partition_table", Host("partition", answers={"growpart": (2, "FAILED: unexpected")})),
        ("not_last", Host("partition", sfdisk=BEHIND)),
        ("no_room", Host("partition", answers={"growpart": (1, "NOCHANGE: partition 1 is size 407519. it cannot be grown")})),
        ("mbr", Host("partition", sfdisk=DOS, answers={"growpart": GROWPART.replace("end=409566", "end=4294967296")})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_whatever_is_not_well_beneath_is_a_reason_not_to(code: str, host: Host) -> None:
    plan = _grow.plan(host, WANTED)
    assert plan["refused"], plan
    assert (plan["refused"]["code"], plan["steps"]) == (code, [])
    assert plan["refused"]["text"].endswith(".")


def test_the_whole_log_of_the_kernel_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ring holds more than is read of a command by default, and the newest errors stand at its end."""
    log = "[1.0] nothing of interest\n" * 40000 + "[9.9] I/O error, dev vdb, sector 8 op 0x0\n"
    host, run = Host("partition"), Host.run

    def capped(self: Host, argv: list[str], *arguments: t.Any, cap: int = OUTPUT_CAP, **more: t.Any) -> Output:
        if argv == ["dmesg"]:
            return Output("ok", 0, log[:cap], "", len(log) > cap)
        return run(self, argv, *arguments, **more)

    monkeypatch.setattr(Host, "run", capped)
    assert _grow.plan(host, WANTED)["refused"]["code"] == "device_errors"


def test_what_cannot_be_judged_beneath_a_volume_group_is_named() -> None:
    refused = _grow.plan(on_dm("mpath-3600"), WANTED)["refused"]
    assert refused["text"] == (
        "The volume group data lies on big (mpath), of which Keepwell cannot tell whether it is well; "
        "make it larger by hand."
    )
    encrypted = on_dm("CRYPT-LUKS2-x", folders={"/sys/class/block/dm-7/slaves": ["vdb1"]})
    assert _grow.plan(encrypted, WANTED)["refused"] is None


@pytest.mark.parametrize("kind", ["lvm", "partition", "disk"])
def test_a_growth_that_ended_half_way_only_resizes_the_filesystem(kind: str) -> None:
    plan = _grow.plan(Host(kind, answers={"tune2fs": SMALLER}), WANTED)
    assert (plan["refused"], plan["from_bytes"], plan["to_bytes"]) == (None, 3 * GIB, 4 * GIB)
    assert [step[0] for step in plan["steps"]] == ["resize2fs"]
    grown = XFS_INFO.replace("1048576", "786432")
    plan = _grow.plan(Host(kind, mount={"fstype": "xfs"}, answers={"xfs_info": grown}), WANTED)
    assert plan["steps"] == [["xfs_growfs", "/srv"]]


class ThisMachine(Machine):
    """This machine without its kernel's log: other tests have made errors on loop devices of the same name."""

    def run(self, argv: list[str], *arguments: t.Any, **more: t.Any) -> Output:
        return Output("ok", 0, "") if argv == ["dmesg"] else super().run(argv, *arguments, **more)


TOOLS = {"ext4": ("mkfs.ext4", "resize2fs"), "xfs": ("mkfs.xfs", "xfs_growfs")}


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("losetup"), reason="needs root and loop devices")
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_a_real_filesystem_grows_with_its_disk_and_keeps_its_files(tmp_path: Path, fstype: str) -> None:
    if not all(shutil.which(tool) for tool in TOOLS[fstype]):
        pytest.skip(f"needs {' and '.join(TOOLS[fstype])}")
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    image.touch()
    os.truncate(image, 320 << 20)
    device = subprocess.run(
        ["losetup", "-f", "--show", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        options = ["-q", "-F"] if fstype == "ext4" else ["-q", "-f"]
        subprocess.run([f"mkfs.{fstype}", *options, device], check=True)
        subprocess.run(["mount", device, mount], check=True)
        (mount / "file").write_text("kept")
        wanted = {**WANTED, "mount": str(mount)}
        assert _grow.plan(ThisMachine(), wanted)["refused"]["code"] == "no_room"
        os.truncate(image, 640 << 20)
        subprocess.run(["losetup", "-c", device], check=True)
        plan = _grow.plan(ThisMachine(), wanted)
        assert (plan["refused"], plan["kind"], plan["fstype"]) == (None, "disk", fstype)
        before = _space.measure(str(mount))["size_bytes"]
        commands = Commands(Machine(), str(tmp_path), time.monotonic() + 60)
        done = _grow.carry_out(commands, plan)
        if "Permission denied to resize filesystem" in done["text"]:
            assert (done["grown_bytes"], done["to_bytes"]) == (0, before)
            pytest.skip("needs CAP_SYS_RESOURCE: ext4 asks for it")
        assert done["grown_bytes"] > 250 << 20, done
        assert done["from_bytes"] == before
        assert (mount / "file").read_text() == "kept"
        assert _grow.plan(ThisMachine(), wanted)["refused"]["code"] == "no_room"
    finally:
        subprocess.run(["umount", mount], check=False)
        subprocess.run(["losetup", "-d", device], check=False)


@pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("growpart") and shutil.which("sfdisk")), reason="needs root and growpart"
)
@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_the_real_growpart_says_what_is_read(tmp_path: Path, label: str) -> None:
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, 200 << 20)
    subprocess.run(["sfdisk", "-q", image], input=f"label: {label}\nsize=100M\n", text=True, check=True)
    device = subprocess.run(
        ["losetup", "-f", "--show", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        asked = {"path": device + "p1", "disk": device.removeprefix("/dev/"), "number": 1}
        found = _grow_facts.partition(Machine(), asked)
        assert (found["old"], found["label"]) == (204800, label)
        assert found["new"] > 400000
        subprocess.run(["growpart", device, "1"], capture_output=True, check=False)
        with pytest.raises(_grow_facts.Refused) as caught:
            _grow_facts.partition(Machine(), asked)
        assert caught.value.code == "no_room"
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


def test_a_step_that_fails_is_told_and_nothing_is_made_smaller(tmp_path: Path) -> None:
    commands = Commands(Machine(), str(tmp_path), time.monotonic() + 20)
    plan = {"mount": "/", "steps": [["/bin/false"], ["/bin/touch", str(tmp_path / "never")]]}
    done = _grow.carry_out(commands, plan)
    assert done["grown_bytes"] == 0
    assert "/bin/false ended with 1" in done["text"]
    assert not (tmp_path / "never").exists()

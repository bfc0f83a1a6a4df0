"""How much memory counts as available."""

from __future__ import annotations

from pathlib import Path

import pytest

from eigentropy._support import memory


@pytest.fixture
def system(tmp_path, monkeypatch):
    """The files of /proc and /sys, which a test writes."""
    read = lambda name: (tmp_path / Path(name).relative_to("/")).read_bytes()  # noqa: E731
    monkeypatch.setattr(memory, "_content", read)

    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    return write


def limited(system, limit):
    system("sys/fs/cgroup/memory.max", f"{limit}\n")
    system("sys/fs/cgroup/memory.current", "3000\n")
    system("sys/fs/cgroup/memory.stat", "anon 2000\ninactive_file 500\n")


def test_without_a_limit_it_is_that_of_the_machine(system):
    assert memory.available() == 8000 * 1024
    limited(system, "max")
    assert memory.available() == 8000 * 1024


def test_the_limit_of_a_container_counts_and_its_file_caches_are_free(system):
    limited(system, 10_000)
    assert memory.available() == 10_000 - 3000 + 500


def test_a_limit_that_cannot_be_read_is_none(system):
    limited(system, "lots")
    assert memory.available() == 8000 * 1024


def test_a_machine_that_does_not_say_has_all_its_memory(system):
    system("proc/meminfo", "MemTotal: 9000 kB\n")
    assert memory.available() > 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has this file")
def test_the_whole_of_a_file_of_the_system_is_read():
    assert memory._content("/proc/version") == Path("/proc/version").read_bytes()
    with pytest.raises(FileNotFoundError):
        memory._content("/proc/nothing")


def test_a_limit_of_the_address_space_counts_and_what_is_mapped_is_used(system, monkeypatch):
    system("proc/self/statm", "10 5 3 1 0 4 0\n")
    page = memory.os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(memory.resource, "getrlimit", lambda which: (30 * page, 40 * page))
    assert memory.available() == 20 * page
    monkeypatch.setattr(memory.resource, "getrlimit", lambda which: (5 * page, 40 * page))
    assert memory.available() == 0
    monkeypatch.setattr(
        memory.resource, "getrlimit", lambda w: (memory.resource.RLIM_INFINITY,) * 2
    )
    assert memory.available() == 8000 * 1024


def test_inside_one_short_step_the_system_is_asked_once(system):
    with memory.asked_once():
        assert memory.available() == 8000 * 1024
        system("proc/meminfo", "MemAvailable: 4000 kB\n")
        assert memory.available() == 8000 * 1024
    assert memory.available() == 4000 * 1024
    with memory.asked_once():  # another step knows nothing of the one before
        assert memory.available() == 4000 * 1024


class Windows:
    """GlobalMemoryStatusEx of a machine with 5000 bytes that are available, of 9000."""

    def __init__(self, works):
        self.windll = self.kernel32 = self
        self.works = works

    def GlobalMemoryStatusEx(self, status):
        words = status._obj
        assert words[0] == 64  # the size of the structure, which Windows checks
        words[1], words[2] = 9000, 5000
        return self.works


@pytest.mark.parametrize(("works", "available"), [(1, 5000), (0, float("inf"))])
def test_windows_is_asked_in_its_own_way(monkeypatch, works, available):
    monkeypatch.setattr(memory.ctypes, "windll", Windows(works), raising=False)
    monkeypatch.setattr(memory.sys, "platform", "win32")
    monkeypatch.setattr(memory, "resource", None)
    monkeypatch.setattr(memory, "_control_group", lambda: float("inf"))
    assert memory.available() == available

"""Count the instructions of CUDA kernels by class: in each kernel, and in each of its loops.

    python scripts/count_sass.py OBJECT [--kernel PATTERN] [--opcodes] [--json]

OBJECT is what cuobjdump reads (an object file, a library, an executable, a cubin), or, with the
ending .sass, text that cuobjdump -sass or nvdisasm -c has printed. cuobjdump and nvdisasm are
looked for on PATH, or in the folder that --tools names.

A loop is what lies between a branch back and the block that dominates it: code that the compiler
has moved out of line counts where it belongs. Each instruction counts in the innermost loop that
holds it, so that the row of an outer loop holds what its inner loops do not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

# The first pattern that matches an opcode names its class. Products of matrices are classes of
# their own, with their shape and types.
CLASSES = (
    ("FFMA", r"FFMA2?"),
    ("FADD/FMUL", r"FADD2?|FMUL2?"),
    ("DFMA", r"DFMA"),
    ("DADD/DMUL", r"DADD|DMUL"),
    ("HFMA", r"HFMA2?|HADD2?|HMUL2?"),
    ("MUFU", r"MUFU"),
    ("conversions", r"F2F|F2FP|I2F|I2FP|F2I"),
    ("LDSM", r"LDSM"),
    ("LDS", r"LDS"),
    ("STS", r"STS|STSM|ATOMS"),
    ("LDGSTS", r"LDGSTS|LDGDEPBAR"),
    ("TMA", r"UTMA[A-Z]+|UBLK[A-Z]+"),
    ("LDG", r"LDG|LD"),
    ("STG", r"STG|ST|ATOMG?|REDG?"),
    ("spills", r"LDL|STL"),
    ("SHFL", r"SHFL"),
    ("BAR", r"BAR|SYNCS|WARPSYNC|WARPGROUP|WARPGROUPSET|DEPBAR|MEMBAR|FENCE|ERRBAR"),
)
PRODUCT = re.compile(r"[A-Z]*MMA$")
REST = "rest"

LINE = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+\{?\s*(?:(@!?\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
FUNCTION = re.compile(r"\s*Function : (\S+)|\.text\.(\S+):")
LABEL = re.compile(r"\s*([.$\w]+):\s*$")
TARGET = re.compile(r"(?:`\((?P<label>[^)]+)\)|(?P<address>0x[0-9a-f]+))$")
ARCHITECTURE = re.compile(r'\s*code for (sm_\w+)|\s*\.target\s+"?(sm_\w+)')


@dataclass(frozen=True)
class Instruction:
    """One line of SASS."""

    address: int
    predicate: str
    opcode: str
    operands: str

    @property
    def name(self) -> str:
        """The opcode without its modifiers."""
        return self.opcode.split(".")[0]


@dataclass
class Kernel:
    """A function's instructions, in the order of their addresses."""

    name: str
    architecture: str
    code: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def target(self, one: Instruction) -> int | None:
        """Where an instruction leads, if it says so: the address of an instruction."""
        found = TARGET.search(one.operands)
        if not found:
            return None
        if found["address"]:
            return int(found["address"], 16)
        return self.labels.get(found["label"])


@dataclass(frozen=True)
class Loop:
    """The addresses of a loop without those of the loops inside, and how many loops are around."""

    first: int
    last: int
    depth: int
    innermost: bool
    addresses: frozenset[int]


def class_of(opcode: str) -> str:
    """The class of an opcode with its modifiers."""
    name = opcode.split(".")[0]
    if PRODUCT.match(name):
        return opcode
    return next((label for label, names in CLASSES if re.fullmatch(names, name)), REST)


def kernels_of(text: str) -> list[Kernel]:
    """The kernels in what cuobjdump -sass or nvdisasm -c has printed."""
    kernels: list[Kernel] = []
    waiting: list[str] = []
    architecture = ""
    for line in text.splitlines():
        if found := ARCHITECTURE.match(line):
            architecture = found[1] or found[2]
        elif found := FUNCTION.match(line):
            kernels.append(Kernel(found[1] or found[2], architecture))
            waiting = []
        elif found := LABEL.match(line):
            waiting.append(found[1])
        elif kernels and (found := LINE.match(line)):
            one = Instruction(int(found[1], 16), found[2] or "", found[3], found[4])
            kernels[-1].code.append(one)
            kernels[-1].labels.update(dict.fromkeys(waiting, one.address))
            waiting = []
    for kernel in kernels:
        _cut_end(kernel)
    return [kernel for kernel in kernels if kernel.code]


def _cut_end(kernel: Kernel) -> None:
    """Without what fills the space behind a function: a branch to itself, and NOPs."""
    code = kernel.code
    while code and code[-1].name == "NOP":
        code.pop()
    if code and code[-1].name == "BRA" and kernel.target(code[-1]) == code[-1].address:
        code.pop()


def next_addresses(kernel: Kernel) -> dict[int, list[int]]:
    """Where each instruction may lead. Subroutines are part of the code that calls them."""
    following = dict(pairwise(one.address for one in kernel.code))
    meeting: dict[str, int] = {}  # where the threads go on that wait at a barrier of BSSY
    leads: dict[int, list[int]] = {}
    for one in kernel.code:
        target = kernel.target(one)
        after = [following[one.address]] if one.address in following else []
        operands = one.operands.split(",")
        if one.name in ("BRA", "JMP"):
            conditional = bool(one.predicate) or len(operands) > 1
            after = ([target] if target is not None else []) + (after if conditional else [])
        elif one.name in ("CALL", "WARPSYNC") and target is not None:
            after = [target, *after]
        elif one.name in ("EXIT", "RET", "BRX", "JMX"):
            after = after if one.predicate else []
        elif one.name == "BSSY" and target is not None:
            meeting[operands[0].strip()] = target
        elif one.name == "BSYNC" and operands[0].strip() in meeting:
            after = [meeting[operands[0].strip()], *(after if one.predicate else [])]
        leads[one.address] = after
    return leads


def blocks_of(kernel: Kernel, leads: dict[int, list[int]]) -> dict[int, list[int]]:
    """The addresses of each basic block, by its first."""
    order = [one.address for one in kernel.code]
    following = dict(pairwise(order))
    starts = {order[0]}
    for address, after in leads.items():
        if after != [following.get(address)]:
            starts.update(after)
            starts.update([following[address]] if address in following else [])
    blocks: dict[int, list[int]] = {}
    for address in order:
        if address in starts:
            blocks[address] = current = []
        current.append(address)
    return blocks


def from_the_entry(entry: int, leads: dict[int, list[int]]) -> list[int]:
    """The blocks that can be reached, each before those that follow it but for branches back."""
    seen = {entry}
    finished: list[int] = []
    path = [(entry, iter(leads[entry]))]
    while path:
        block, after = path[-1]
        for other in after:
            if other not in seen:
                seen.add(other)
                path.append((other, iter(leads[other])))
                break
        else:
            finished.append(block)
            path.pop()
    return finished[::-1]


def dominators(order: Sequence[int], before: dict[int, list[int]]) -> dict[int, set[int]]:
    """The blocks through which every way to a block leads."""
    found = {block: set(order) for block in order}
    found[order[0]] = {order[0]}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            new = {block}.union(set.intersection(*(found[one] for one in before[block])))
            changed |= new != found[block]
            found[block] = new
    return found


def loops_of(kernel: Kernel) -> list[Loop]:
    """The loops of a kernel, in the order of their first address."""
    leads = next_addresses(kernel)
    blocks = blocks_of(kernel, leads)
    after = {start: [a for a in leads[block[-1]] if a in blocks] for start, block in blocks.items()}
    order = from_the_entry(kernel.code[0].address, after)
    before: dict[int, list[int]] = {block: [] for block in order}
    for block in order:
        for other in after[block]:
            before[other].append(block)
    dominating = dominators(order, before)
    bodies: dict[int, set[int]] = {}
    for block in order:
        for head in after[block]:
            if head in dominating[block]:
                bodies.setdefault(head, {head}).update(_reaching(block, head, before))
    return sorted(_nested(bodies, blocks), key=lambda loop: loop.first)


def _reaching(block: int, head: int, before: dict[int, list[int]]) -> set[int]:
    """The blocks from which a block can be reached without passing the loop's head."""
    body = {head}
    waiting = [block]
    while waiting:
        one = waiting.pop()
        if one not in body:
            body.add(one)
            waiting.extend(before[one])
    return body


def _nested(bodies: dict[int, set[int]], blocks: dict[int, list[int]]) -> Iterator[Loop]:
    for head, body in bodies.items():
        inside = [other for first, other in bodies.items() if first != head and first in body]
        own = body.difference(*inside)
        all_addresses = [address for block in body for address in blocks[block]]
        yield Loop(
            first=head,
            last=max(all_addresses),
            depth=sum(head in other for other in bodies.values()) - 1,
            innermost=not inside,
            addresses=frozenset(address for block in own for address in blocks[block]),
        )


def count(code: Sequence[Instruction]) -> Counter[str]:
    """The number of instructions of each class; those that do nothing do not count."""
    return Counter(class_of(one.opcode) for one in code if one.name != "NOP")


def demangled(names: Sequence[str]) -> list[str]:
    """C++'s names, where c++filt is there."""
    if not shutil.which("c++filt"):
        return list(names)
    text = "\n".join(names)
    shown = subprocess.run(["c++filt"], input=text, capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()


def disassembled(path: Path, tools: str | None) -> str:
    """The SASS of a file."""
    if path.suffix == ".sass":
        return path.read_text()
    # cuobjdump looks for nvdisasm on PATH.
    search = os.pathsep.join([*([tools] if tools else []), os.environ.get("PATH", "")])
    program = shutil.which("cuobjdump", path=search)
    if program is None:
        sys.exit("error: cuobjdump is missing: put it on PATH, or name its folder with --tools")
    run = subprocess.run(
        [program, "-sass", str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": search},
    )
    if run.returncode:
        sys.exit(f"error: cuobjdump cannot read {path}: {run.stderr.strip()}")
    return run.stdout


def table(kernel: Kernel, name: str, opcodes: bool) -> dict[str, object]:
    """What is printed about a kernel."""

    def row(code: Sequence[Instruction]) -> dict[str, object]:
        counts = count(code)
        products = sum(n for label, n in counts.items() if PRODUCT.match(label.split(".")[0]))
        counted: dict[str, object] = {
            "instructions": counts.total(),
            "classes": dict(sorted(counts.items(), key=lambda item: (item[0] == REST, item[0]))),
        }
        if products:
            counted["others_per_product"] = round((counts.total() - products) / products, 2)
        if opcodes:
            rest = Counter(one.name for one in code if class_of(one.opcode) == REST)
            counted["rest"] = dict(rest.most_common())
        return counted

    loops = [
        {
            "first": hex(loop.first),
            "last": hex(loop.last),
            "depth": loop.depth,
            "innermost": loop.innermost,
            **row([one for one in kernel.code if one.address in loop.addresses]),
        }
        for loop in loops_of(kernel)
    ]
    return {
        "kernel": name,
        "symbol": kernel.name,
        "architecture": kernel.architecture,
        **row(kernel.code),
        "loops": loops,
    }


def show(entry: dict[str, object]) -> None:
    """Print a kernel and its loops, one line each."""

    def line(row: dict[str, object]) -> str:
        classes: dict[str, int] = row["classes"]  # type: ignore[assignment]
        text = f"{row['instructions']} instructions: "
        text += ", ".join(f"{label} {n}" for label, n in classes.items())
        if "others_per_product" in row:
            text += f"; {row['others_per_product']} others for each product"
        rest: dict[str, int] = row.get("rest", {})  # type: ignore[assignment]
        if rest:
            text += f"\n      {REST}: " + ", ".join(f"{name} {n}" for name, n in rest.items())
        return text

    print(f"{entry['kernel']} [{entry['architecture']}]")
    print(f"  whole: {line(entry)}")
    loops: list[dict[str, object]] = entry["loops"]  # type: ignore[assignment]
    for loop in loops:
        indent = "  " * int(str(loop["depth"]))
        kind = "innermost loop" if loop["innermost"] else "loop, inner ones apart,"
        print(f"  {indent}{kind} {loop['first']}-{loop['last']}: {line(loop)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the counts of each kernel whose name holds the pattern."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("object", type=Path, help="object file, library, cubin, or text (.sass)")
    parser.add_argument("--kernel", default="", help="only kernels whose name this pattern matches")
    parser.add_argument("--tools", help="the folder of cuobjdump and nvdisasm")
    parser.add_argument("--opcodes", action="store_true", help="list the opcodes of the rest")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    if not given.object.exists():
        sys.exit(f"error: there is no file {given.object}")
    kernels = kernels_of(disassembled(given.object, given.tools))
    names = demangled([kernel.name for kernel in kernels])
    chosen = [
        table(kernel, name, given.opcodes)
        for kernel, name in zip(kernels, names, strict=True)
        if re.search(given.kernel, name)
    ]
    if not chosen:
        sys.exit(f"error: {given.object} has no kernel named {given.kernel or 'anything'}")
    if given.json:
        print(json.dumps(chosen, indent=1))
        return
    for entry in chosen:
        show(entry)


if __name__ == "__main__":
    main()

"""The instructions of kernels by class and by loop, in SASS written here."""

import json

import count_sass
import pytest

# An outer loop (0x20) with exponentials, an inner one (0x30) with products, a rare block out of
# line (0xe0) that comes back into the inner loop, threads that wait for each other, a subroutine,
# and what fills the space behind a function.
DUMPED = """
Fatbin elf code:
================
arch = sm_90

\tcode for sm_90
\t\tFunction : _Z5sweepPf
\t.headerflags\t@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;              /* 0x00000a00ff017b82 */
                                                                       /* 0x000fe20000000800 */
        /*0010*/                   MOV R4, RZ ;                        /* 0x0000000000007919 */
        /*0020*/                   LDG.E.64 R2, desc[UR4][R2.64] ;     /* 0x0000000000007919 */
        /*0030*/                   LDSM.16.M88.4 R8, [R5] ;
        /*0040*/                   HMMA.16816.F32 R12, R8, R10, R12 ;
        /*0050*/                   HMMA.16816.F32 R16, R8, R11, R16 ;
        /*0060*/               @P1 BRA 0xf0 ;
        /*0070*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0080*/              @!P0 BRA 0x30 ;
        /*0090*/                   FFMA R20, R12, R13, R14 ;
        /*00a0*/                   MUFU.EX2 R20, R20 ;
        /*00b0*/                   CALL.REL.NOINC 0x140 ;
        /*00c0*/               @P2 BRA 0x20 ;
        /*00d0*/                   STG.E desc[UR4][R2.64], R20 ;
        /*00e0*/                   EXIT ;
        /*00f0*/                   BSSY B0, 0x130 ;
        /*0100*/               @P3 BRA 0x120 ;
        /*0110*/                   FADD R21, R21, R22 ;
        /*0120*/                   BSYNC B0 ;
        /*0130*/                   BRA 0x70 ;
        /*0140*/                   STL [R1], R7 ;
        /*0150*/                   LDL R7, [R1] ;
        /*0160*/                   RET.REL.NODEC R6 0x0 ;
        /*0170*/                   BRA 0x170;
        /*0180*/                   NOP;
        /*0190*/                   NOP;
\t\t..........

\t\tFunction : _Z6simplev
        /*0000*/                   DFMA R2, R4, R6, R8 ;
        /*0010*/               @P0 EXIT ;
        /*0020*/                   BRA P1, 0x0 ;
        /*0030*/                   EXIT ;
"""

# The same loop as nvdisasm prints it, with labels.
LABELLED = """
\t.target\t"sm_100a"
.text._Z5innerv:
.L_x_1:
        /*0000*/                   LDS.128 R4, [R2] ;
        /*0010*/                   FFMA2 R8, R4, R6, R8 ;
        /*0020*/              @!P0 BRA `(.L_x_1) ;
        /*0030*/                   EXIT ;
.L_x_2:
        /*0040*/                   BRA `(.L_x_2);
"""


@pytest.fixture
def dumped(tmp_path):
    file = tmp_path / "kernels.sass"
    file.write_text(DUMPED)
    return file


def loops(text, kernel=0):
    return count_sass.loops_of(count_sass.kernels_of(text)[kernel])


def classes_in(loop, text, kernel=0):
    code = count_sass.kernels_of(text)[kernel].code
    return count_sass.count([one for one in code if one.address in loop.addresses])


def test_each_kernel_is_counted_by_class_without_what_fills_its_end():
    sweep, simple = count_sass.kernels_of(DUMPED)
    assert (sweep.name, sweep.architecture) == ("_Z5sweepPf", "sm_90")
    assert count_sass.count(sweep.code) == {
        "HMMA.16816.F32": 2,
        "FFMA": 1,
        "FADD/FMUL": 1,
        "MUFU": 1,
        "LDSM": 1,
        "LDG": 1,
        "STG": 1,
        "BAR": 1,
        "spills": 2,
        "rest": 12,
    }
    assert count_sass.count(simple.code) == {"DFMA": 1, "rest": 3}


def test_an_instruction_counts_in_its_innermost_loop():
    outer, inner = loops(DUMPED)
    assert (outer.first, outer.depth, outer.innermost) == (0x20, 0, False)
    assert (inner.first, inner.depth, inner.innermost) == (0x30, 1, True)
    assert classes_in(inner, DUMPED)["HMMA.16816.F32"] == 2
    assert classes_in(outer, DUMPED)["HMMA.16816.F32"] == 0
    assert classes_in(outer, DUMPED)["MUFU"] == 1


def test_code_out_of_line_is_part_of_the_loop_that_it_returns_to():
    _, inner = loops(DUMPED)
    assert {0xF0, 0x110, 0x130} <= inner.addresses
    assert classes_in(inner, DUMPED)["FADD/FMUL"] == 1


def test_a_branch_back_out_of_a_cold_block_is_no_loop():
    """It lies behind the code that it returns to, but that code can be reached without it."""
    text = """
\t\tFunction : f
        /*0000*/               @P0 BRA 0x30 ;
        /*0010*/                   FFMA R1, R1, R1, R1 ;
        /*0020*/                   EXIT ;
        /*0030*/                   BRA 0x10 ;
"""
    assert loops(text) == []


def test_a_condition_may_be_an_operand():
    (loop,) = loops(DUMPED, kernel=1)
    assert loop.addresses == {0x0, 0x10, 0x20}


def test_labels_are_addresses():
    (loop,) = loops(LABELLED)
    assert loop.addresses == {0x0, 0x10, 0x20}
    assert classes_in(loop, LABELLED) == {"LDS": 1, "FFMA": 1, "rest": 1}
    assert count_sass.kernels_of(LABELLED)[0].architecture == "sm_100a"


@pytest.mark.parametrize(
    ("opcode", "expected"),
    [
        ("HGMMA.64x128x16.F32", "HGMMA.64x128x16.F32"),
        ("DMMA.8x8x4", "DMMA.8x8x4"),
        ("UTCHMMA.2CTA", "UTCHMMA.2CTA"),
        ("FMUL.FTZ", "FADD/FMUL"),
        ("LDGSTS.E.BYPASS.128", "LDGSTS"),
        ("LDG.E.128", "LDG"),
        ("LDS.U.128", "LDS"),
        ("STS.64", "STS"),
        ("SYNCS.PHASECHK.TRANS64.TRYWAIT", "BAR"),
        ("IMAD.MOV.U32", "rest"),
        ("ISETP.GE.AND", "rest"),
    ],
)
def test_classes(opcode, expected):
    assert count_sass.class_of(opcode) == expected


def test_json_has_the_loops_and_the_others_for_each_product(dumped, capsys):
    count_sass.main([str(dumped), "--json", "--kernel", "sweep"])
    (entry,) = json.loads(capsys.readouterr().out)
    inner = entry["loops"][1]
    assert inner["classes"]["HMMA.16816.F32"] == 2
    assert inner["others_per_product"] == (inner["instructions"] - 2) / 2
    assert "others_per_product" not in entry["loops"][0]


def test_each_loop_has_a_line(dumped, capsys):
    count_sass.main([str(dumped), "--opcodes"])
    shown = capsys.readouterr().out
    assert "0x30-0x130" in shown
    assert "BSSY 1" in shown
    assert "0x0-0x20" in shown


def test_a_pattern_without_kernels_and_a_file_that_is_not_there_are_errors(dumped, tmp_path):
    with pytest.raises(SystemExit, match="no kernel named nothing"):
        count_sass.main([str(dumped), "--kernel", "nothing"])
    with pytest.raises(SystemExit, match="there is no file"):
        count_sass.main([str(tmp_path / "absent.o")])


def test_without_the_tools_the_error_names_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    file = tmp_path / "kernels.o"
    file.touch()
    with pytest.raises(SystemExit, match="cuobjdump is missing"):
        count_sass.main([str(file)])

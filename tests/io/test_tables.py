"""Tables as people write them: separators, headers, decimal commas, and numbers of the rows."""

from __future__ import annotations

import csv
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy.io import FileError, read_labels, read_matrix, read_sample, track
from eigentropy.io import columns as readers
from eigentropy.io.dialects import MISSING
from messages import naming


@pytest.fixture
def write(tmp_path):
    def written(content, name="z.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return written


# How a table is written.

AS_WRITTEN = {
    "semicolons": "a;b\n1.5;2\n3;4\n",
    "decimal commas": "a;b\n1,5;2\n3;4\n",
    "decimal commas in some": "a;b\n1,5;2,0\n3;4\n",
    "decimal commas without header": "1,5;2\n3;4\n",
    "tabs": "a\tb\n1.5\t2\n3\t4\n",
    "tabs and decimal commas": "a\tb\n1,5\t2\n3\t4\n",
    "bars": "a|b\n1.5|2\n3|4\n",
    "spaces": "a b\n1.5 2\n3 4\n",
    "columns lined up": "  1.5   2\n 3.0   4\n",
    "savetxt": "# made by NumPy\n# a b\n1.5e+00 2.0e+00\n3.0e+00 4.0e+00\n",
    "comments": "# one\n#two\n\na,b\n1.5,2\n3,4\n",
    "Excel's hint": "sep=;\na;b\n1,5;2\n3;4\n",
    "Windows newlines": "a,b\r\n1.5,2\r\n3,4\r\n\r\n",
    "Macintosh newlines": "a,b\r1.5,2\r3,4\r",
    "quotes": '"a;1";"b"\n"1,5";"2"\n3;4\n',
    "mark of UTF-8": "\ufeffa,b\n1.5,2\n3,4\n",
    "UTF-16": "a\tb\n1,5\t2\n3\t4\n".encode("utf-16"),
    "Windows' letters": "Größe;b\n1,5;2\n3;4\n".encode("cp1252"),
    "spaces after commas": "a, b\n1.5, 2\n3, 4\n",
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("text", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_a_table_is_read_however_it_is_written(write, text, suffix):
    read = read_matrix(write(text, f"z{suffix}"))
    np.testing.assert_array_equal(read, [[1.5, 2], [3, 4]])


def test_the_names_of_rows_have_no_name_in_r(write):
    path = write('"w" "x" "y"\n"1" 1.5 2 3\n"2" 4 5 6\n"4" 7 8 9\n')
    with pytest.warns(UserWarning, match="is left out"):
        np.testing.assert_array_equal(read_matrix(path), [[1.5, 2, 3], [4, 5, 6], [7, 8, 9]])


@pytest.mark.parametrize("text", ["#a,b\n1.5,2\n3,4\n", "# a b\n1.5 2\n3 4\n", "a;b\n1,5;2\n3;4\n"])
def test_columns_have_the_names_of_the_header(write, text):
    np.testing.assert_array_equal(read_matrix(write(text), "b"), [[2], [4]])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_file_has_any_name_that_the_disk_takes(tmp_path, suffix):
    path = tmp_path / (os.fsdecode(b"\xff") + suffix)
    table = pd.DataFrame({"a": [1.5, 3], "b": [2, 4]})
    if suffix == ".parquet":
        path.write_bytes(table.to_parquet())
    else:
        path.write_text(table.to_csv(index=False))
    np.testing.assert_array_equal(read_matrix(path), [[1.5, 2], [3, 4]])


def test_many_names_without_a_row_are_no_table_of_many_rows(write):
    path = write(",".join(f"c{i}" for i in range(200_000)))
    with pytest.raises(FileError, match=naming("z.csv")):
        read_matrix(path)


def test_names_beyond_ascii_are_names(write):
    path = write("Größe;b\n1,5;2\n3;4\n".encode("cp1252"))
    np.testing.assert_array_equal(read_matrix(path, "Größe"), [[1.5], [3]])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_labels_lie_beside_numbers_whatever_separates_them(write, separator):
    lines = [["x", "y", "kind"], ["1.5", "2", "cat"], ["3", "4", "dog"]]
    path = write("\n".join(separator.join(line) for line in lines))
    Z, labels = read_sample(path, column="kind")
    np.testing.assert_array_equal(Z, [[1.5, 2], [3, 4]])
    assert list(labels) == ["cat", "dog"]


@pytest.mark.parametrize(
    "words", [["class 1", "class 2"], ["new york", "los angeles"], ["a;1", "b"]]
)
def test_words_with_separators_in_them_are_labels(write, words):
    assert list(read_labels(write("\n".join(["kind", *words])))) == words


@given(
    values=st.lists(
        st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=3, max_size=3),
        min_size=3,
        max_size=12,
    ),
    separator=st.sampled_from([",", ";", "\t", "|", " "]),
    comma=st.booleans(),
    header=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(values, separator, comma, header, newline):
    lines = [[repr(value) for value in row] for row in values]
    if comma and separator not in ", ":
        lines = [[cell.replace(".", ",") for cell in row] for row in lines]
    text = newline.join(separator.join(row) for row in [["x", "y", "z"]] * header + lines)
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that count 0, 1, 2
        path = Path(directory) / "z.csv"
        path.write_bytes(text.encode())
        read = read_matrix(path, columns="*")
    np.testing.assert_array_equal(read, values)


def test_thousands_of_columns_with_names_and_labels(write):
    n, d = 6, 5000
    Z = np.random.default_rng(0).normal(size=(n, d)).round(3)
    names = ["id", *(f"g{i}" for i in range(d)), "kind"]
    rows = [[str(i), *map(str, Z[i]), f"k{i % 2}"] for i in range(n)]
    path = write("\n".join(",".join(row) for row in [names, *rows]))
    with pytest.warns(UserWarning, match=naming("'id'")):
        read, labels = read_sample(path, column="kind")
    np.testing.assert_array_equal(read, Z)
    assert list(labels) == ["k0", "k1"] * 3
    np.testing.assert_array_equal(read_matrix(path, columns="g7,g4999"), Z[:, [7, 4999]])
    with pytest.raises(FileError, match=naming("'kind'", "--without")):
        read_matrix(path, columns="*")
    for missing in (0, 3):
        rows[missing][3] = ""
        broken = write("\n".join(",".join(row) for row in [names, *rows]), "broken.csv")
        with pytest.raises(FileError, match=naming("broken.csv", "'g2'", missing)):
            read_matrix(broken, without="id,kind")
        rows[missing][3] = "1"


# Labels that are missing.

LABELS = st.lists(st.sampled_from(["cat", "dog", "none", "na", "x y"]), min_size=4, max_size=12)
GAPS = st.sampled_from([*MISSING, " ", " NA"])


@pytest.mark.parametrize("word", MISSING)
def test_pandas_reads_these_words_as_missing(write, word):
    assert list(pd.read_csv(write(f"x,kind\n1,cat\n2,{word}\n"))["kind"].isna()) == [False, True]


@given(
    words=LABELS,
    cells=st.dictionaries(st.integers(0, 2), GAPS, max_size=3),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoted=st.booleans(),
    wide=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_missing_labels_are_refused_with_their_cells_and_others_are_read(
    words, cells, separator, quoted, wide
):
    for row, cell in cells.items():
        words[row] = cell
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "_MOST_COLUMNS", 2 if wide else 4096)  # NumPy reads what is wide
        path = Path(directory) / "z.csv"
        lines = [("a", "b", "kind"), *((f"{i}.5", f"{i}.25", w) for i, w in enumerate(words))]
        with path.open("w", newline="") as file:
            quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
            csv.writer(file, delimiter=separator, quoting=quoting).writerows(lines)
        if not cells:
            assert list(read_labels(path, "kind")) == words
            return
        where = f"{len(cells)} of {len(words)}", f"row {min(cells)}"
        said = naming("z.csv", "'kind'", *where, *(repr(cell.strip()) for cell in cells.values()))
        for read in (lambda: read_labels(f"{path}:kind"), lambda: read_sample(path, column="kind")):
            with pytest.raises(FileError, match=said):
                read()


@pytest.mark.parametrize("gap", ["", "NA", "None", "nan"])
@pytest.mark.parametrize("others", [["1", "2"], ["1.5", "2.5"], ["true", "false"], ["cat", "dog"]])
@pytest.mark.parametrize("most", [1, 4096])
def test_a_gap_among_labels_of_any_type_is_refused(write, monkeypatch, gap, others, most):
    monkeypatch.setattr(readers, "_MOST_COLUMNS", most)
    path = write("".join(f"{line}\n" for line in ["x,y", f"0,{others[0]}", f"0,{gap}", "0,1"]))
    with pytest.raises(FileError, match=naming("z.csv", "1 of 3", "row 1")):
        read_labels(path, "y")


@pytest.mark.parametrize("text", ['kind\ncat\n""\ndog\ndog\n', "cat\nNA\ndog\ncat\n"])
def test_a_gap_in_the_only_column_is_refused(write, text):
    with pytest.raises(FileError, match=naming("z.csv", 1, "row 1")):
        read_labels(write(text))


def test_a_word_of_parquet_is_a_word(tmp_path):
    pd.DataFrame({"y": ["NA", "DE", ""]}).to_parquet(tmp_path / "y.parquet")
    assert list(read_labels(tmp_path / "y.parquet")) == ["NA", "DE", ""]


def test_names_of_rows_may_be_such_words(write):
    path = write("id,a,b\nDE,1.5,2\nNA,3,4\nFR,5,7\n")
    with pytest.warns(UserWarning, match=naming("'id'")):
        assert read_matrix(path).shape == (3, 2)


# Columns that number the rows.


def numbered(start=0, seed=None, n=300):
    """300 rows of 4 numbers, and their numbers, shuffled with a seed."""
    Z = np.random.default_rng(0).normal(size=(n, 4)).round(4)
    numbers = np.arange(start, start + n)
    return Z, numbers if seed is None else np.random.default_rng(seed).permutation(numbers)


NUMBERED = {
    "pandas": lambda table, path: table.to_csv(path),
    "pandas without header": lambda table, path: table.to_csv(path, header=False),
    "pandas, read and written": lambda table, path: table.rename_axis("Unnamed: 0").to_csv(path),
    "id": lambda table, path: table.rename_axis("id").to_csv(path),
    "Row_ID": lambda table, path: table.rename_axis("Row_ID").to_csv(path),
    "index at the end": lambda table, path: table.assign(index=table.index).to_csv(
        path, index=False
    ),
    "spaces": lambda table, path: table.rename_axis("index").to_csv(path, sep=" "),
    "R": lambda table, path: path.write_text(
        table.to_csv().removeprefix(",")  # its header has no name for the numbers
    ),
}


@pytest.mark.parametrize("save", NUMBERED.values(), ids=NUMBERED)
@pytest.mark.parametrize(("start", "seed"), [(0, None), (1, None), (0, 3)])
def test_numbers_of_the_rows_are_no_feature(tmp_path, save, start, seed):
    Z, numbers = numbered(start, seed)
    save(pd.DataFrame(Z, index=numbers, columns=list("abcd")), tmp_path / "z.csv")
    with pytest.warns(UserWarning, match=naming("z.csv", "--columns", "columns=")):
        read = read_matrix(tmp_path / "z.csv")
    assert float(eg.dse(read)) == float(eg.dse(Z))


def test_an_index_of_some_rows_is_no_feature(tmp_path):
    Z, numbers = numbered()
    table = pd.DataFrame(Z, index=numbers, columns=list("abcd"))
    table[table.a > 0].to_csv(tmp_path / "z.csv")
    with pytest.warns(UserWarning, match=naming("''")):
        assert read_matrix(tmp_path / "z.csv").shape[1] == 4


def test_names_of_the_rows_are_no_feature(write):
    path = write('"mpg","cyl"\n"Mazda RX4",21,6\n"Fiat 128",32.4,4\n')
    with pytest.warns(UserWarning, match=naming("z.csv", "''")):
        np.testing.assert_array_equal(read_matrix(path), [[21, 6], [32.4, 4]])


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("time,a\n0,.5\n1,.3\n2,.9\n", 2),  # has a name of its own: measured, and said
        ("2,.5\n0,.3\n1,.9\n", 1),
        ("7,.5\n5,.3\n6,.9\n", 2),  # without names, from 0 or 1 only
    ],
)
def test_what_is_done_with_a_column_that_counts_is_always_said(write, text, width):
    with pytest.warns(UserWarning, match=naming("z.csv", "--without")):
        assert read_matrix(write(text)).shape == (3, width)


@pytest.mark.parametrize(
    "text",
    [
        ",b\n5,2\n5,4\n6,7\n",  # no name, but two rows of one number
        "1,.5\n2,.3\n",  # two rows count too easily
        "id,b\n.5,2\n.7,4\n.2,7\n",
        "idea,b\n1,2\n5,4\n3,7\n",
        "1\n2\n3\n",
    ],
)
def test_other_columns_are_features(write, text):
    lines = [line for line in text.split() if line[0] in "0123456789.,"]
    rows = [line.split(",") for line in lines if not line.endswith("b")]
    np.testing.assert_array_equal(read_matrix(write(text)), np.array(rows, float))


@given(
    n=st.integers(3, 40), start=st.integers(-5, 5), seed=st.integers(0, 99),
    name=st.sampled_from(["", "Unnamed: 0", "index", "ID", "row", "Row Number"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_numbering_under_such_a_name_is_left_out_and_can_be_kept(n, start, seed, name):
    Z, numbers = numbered(start, seed, n)
    table = pd.DataFrame(Z, index=pd.Index(numbers, name=name), columns=list("abcd"))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "z.csv"
        table.to_csv(path)
        with pytest.warns(UserWarning, match=naming(repr(name))):
            np.testing.assert_array_equal(read_matrix(path), Z)
        kept = read_matrix(path, columns=[name, "a"])
    np.testing.assert_array_equal(kept, np.column_stack([numbers, Z[:, 0]]))


# Choosing columns.


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"columns": "a1,b"}, [0, 2]),
        ({"columns": ["b", "a1"]}, [2, 0]),
        ({"columns": "a*"}, [0, 1]),
        ({"without": "b"}, [0, 1, 3]),
        ({"without": ["a*"]}, [2, 3]),
        ({"columns": "a*,c", "without": "a2"}, [0, 3]),
        ({"columns": "*"}, [0, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_are_chosen_by_their_names(tmp_path, options, chosen, suffix):
    Z = np.random.default_rng(0).normal(size=(9, 4)).round(3)
    table = pd.DataFrame(Z, columns=["a1", "a2", "b", "c"])
    if suffix == ".csv":
        table.to_csv(tmp_path / "z.csv", index=False)
    else:
        table.to_parquet(tmp_path / "z.parquet")
    read = read_matrix(tmp_path / f"z{suffix}", **options)
    np.testing.assert_array_equal(read, Z[:, chosen])
    (row,) = track([tmp_path / f"z{suffix}"], **options)
    assert row.dse == float(eg.dse(Z[:, chosen]))


def test_a_name_with_a_pattern_in_it_is_a_name(write):
    np.testing.assert_array_equal(read_matrix(write("a*,ab\n1,2\n3,5\n"), columns="a*"), [[1], [3]])


@pytest.mark.parametrize("option", ["columns", "without"])
def test_columns_that_are_not_there_are_refused_with_those_that_are(write, option):
    with pytest.raises(FileError, match=naming("z.csv", "'x*'", "'a', 'b'")):
        read_matrix(write("a,b\n1,2\n"), **{option: "x*"})


def test_a_key_and_columns_are_one_too_many(write):
    for option in ({"columns": "b"}, {"without": "b"}):
        with pytest.raises(FileError, match=naming("z.csv", "'a'", "columns=")):
            read_matrix(write("a,b\n1,2\n"), "a", **option)


def test_other_files_have_no_columns(tmp_path):
    np.save(tmp_path / "z.npy", np.eye(3))
    with pytest.raises(FileError, match=naming("z.npy", ".csv", ".parquet")):
        read_matrix(tmp_path / "z.npy", columns="a")


def test_words_are_refused_with_their_columns_and_the_remedy(write):
    path = write("a,name,kind\n1,x,k\n2,x,l\n")
    with pytest.raises(FileError, match=naming("'name'", "'kind'", "--without", "--labels")):
        read_matrix(path)
    np.testing.assert_array_equal(read_matrix(path, without="name,kind"), [[1], [2]])
    with pytest.raises(FileError, match=naming("'a'", "'kind'", "--columns")):
        read_sample(path, column="kind", without="a,name")


def test_decimal_commas_are_found_below_the_rows_that_are_looked_at(write):
    rows = ["1;2"] * 100 + ["1,5;2"]
    read = read_matrix(write("\n".join(["a;b", *rows])))
    np.testing.assert_array_equal(read[-1], [1.5, 2])


def test_parquet_is_the_same_in_pieces(tmp_path, monkeypatch):
    """Lists and categories, whose dictionaries differ from piece to piece."""
    table = pd.DataFrame({"e": [[i, 2.0 * i] for i in range(20)], "x": np.arange(20) / 7})
    table["kind"] = pd.Categorical([f"k{i // 3}" for i in range(20)])
    table.to_parquet(tmp_path / "z.parquet", row_group_size=7)
    whole = read_sample(tmp_path / "z.parquet", column="kind")
    monkeypatch.setattr(readers, "_AT_A_TIME", 16)
    pieces = read_sample(tmp_path / "z.parquet", column="kind")
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole[0].shape == (20, 3)
    assert list(whole[1]) == [f"k{i // 3}" for i in range(20)]


@given(
    st.binary(max_size=200)
    | st.text(st.sampled_from("0123456789.,;|\t \n\r\"'#abe-"), max_size=200).map(str.encode)
)
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_matrix_or_a_file_error(content):
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(directory) / "z.csv"
        path.write_bytes(content)
        try:
            assert read_matrix(path).ndim == 2
        except FileError as error:
            assert str(error).startswith(str(path))  # noqa: PT017

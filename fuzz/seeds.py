#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets to corpus/, from the fixtures and from cases written here.

    fuzz/seeds.py [bin/xunpin]

With the program, the seeds of prepared models are written too. Those of Parquet need pyarrow, and Zstandard's need
zstandard; without them these seeds stay as they are. What the fuzzer has found stays in any case.
"""

import gzip
import io
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
CORPUS = HERE / "corpus"


def seed(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)


def lines(path, count):
    return "".join(open(path, encoding="utf-8").readlines()[:count])


PRODUCTS = lines(FIXTURES / "catalogue/products.jsonl", 2)

JSONL = {
    "fixture": PRODUCTS,
    "plain": '{"id":"1","title":"面霜"}\n{"id":2,"title":"精华","price":"¥1,299.00"}\r\n\n{"id":"1","title":"又"}\n',
    "fields": '{"sku":7,"名称":" 面霜 ","c2":"面霜","类目":"护肤>面霜","售价":"199元","库存":"12","tags":["滋润","滋润"],'
    '"attr.肤质":"干皮,敏感肌","shop":{"id":3},"note":null,"title":"x","brand":"A/B（C）"}\n',
    "attributes": '{"id":"1","title":"t","attributes":{"色":["红",2.5,true,null],"含酒精":false,"是否防水":true}}\n'
    '{"id":"2","title":"t","attributes":"材质:棉;颜色：白，蓝"}\n{"id":"3","title":"t","attributes":"{\\"材质\\":[\\"棉\\"]}"}\n',
    "faults": '{"id":"x","title":\n[1,2]\n"text"\nnull\n{"title":"t"}\n{"id":"x","title":"t","price":NaN}\n'
    '{"id":"x","title":"t","price":-1}\n{"id":"a\\u0007b","title":"t"}\n{"id":1.5,"title":"t","stock":1.5}\n',
    "deep": '{"id":"1","title":"t","x":' + "[" * 70 + "]" * 70 + "}\n" + "[" * 200 + "]" * 200 + "\n",
    "long": '{"id":"1","title":"' + "长" * 200 + '"}\n{"id":"2","title":"t"}\n' + " " * 600 + "\nx",
    "not_utf8": b'{"id":"1","title":"\xff\xfe"}\n\xef\xbb\xbf{"id":"2","title":"t"}\n',
    "mark": b'\xef\xbb\xbf{"id":"1","title":"t"}\n',
    "array": '[{"id":"1","title":"t"}]\n',
    "unicode": '{"id":"\\ud83d\\ude00","title":"👩‍🔬\\u200b\\u202e\\u0085 精华","description":["一",null,"二"],"z":1e308}\n',
    "collisions": '{"id":"1","title":"t","id_2":1,"Title":"u","TITLE":"v","title_2":3,"attr.":"x","":"y"}\n',
}
for name, text in JSONL.items():
    seed("jsonl", name, text)

# The first byte chooses: odd is TSV, bit 1 set means that the header is in the file.
CSV = {
    "rows": b"01,a,2,x\n2,\"\xe9\x9d\xa2\n\xe9\x9c\x9c\",3,\n3,c\n4,d,5,e,,\n,,,\n",
    "quotes": '01,"a ""b"" c",2,x\n2,"open\n3,c,1,\n4,"d"x,1,\n5,e"f,1,\n',
    "crlf": "01,a,2,x\r\n\r\n2,b,¥3.50,\"y，z\"\r\n",
    "tabs": '11\ta\t2\tx\n2\t"b\tc"\t3\t\n\t\t\t\n',
    "header": "2商品编号,商品名称,售价,材质,attr.色\nA1,阔腿牛仔裤,¥199.00,牛仔布,蓝\nA2,,59,棉,\n",
    "semicolons": "2id;title;price\n1;a;2\n",
    "same_columns": "2id,title,x,x,x,x_2,,\n1,t,a,b,c,d,e,f\n",
    "unnamed": "2id,title,,\n1,t\n2,t,,x\n",
    "open_header": '2id,"title\n1,t\n',
    "long": '01,"' + "x\n" * 12 + '",1,\n2,' + "y" * 600 + ",1,\n3,c,1,z\n",
    "nul": b"01,a\x00b,2,\xff\n2,\xef\xbb\xbfc,1,\n",
}
for name, text in CSV.items():
    seed("csv", name, text)

# The first byte: bits 0 and 1 the name, bits 2 to 4 what is compared.
shop = "id,title,price\n1,温和A醇精华,¥239\n2,面霜,99\n"
for kind in range(8):
    for name in range(4):
        body = JSONL["plain"] if name in (0, 3) else shop.replace(",", "\t") if name == 2 else shop
        if (kind + name) % 2 == 0:
            seed("catalogue", f"kind_{kind}_{name}", bytes([kind << 2 | name]) + body.encode())
seed("catalogue", "gb18030", b"\x15" + shop.encode("gb18030"))
seed("catalogue", "utf16le", b"\x19\xff\xfe" + shop.encode("utf-16-le"))
seed("catalogue", "utf16be", b"\x1d\xfe\xff" + shop.encode("utf-16-be"))
seed("catalogue", "surrogate", b"\x18\xff\xfe" + '{"id":"1","title":"'.encode("utf-16-le") + b"\x00\xd8" + '"}\n'.encode("utf-16-le"))
packed = gzip.compress(shop.encode(), mtime=0)
seed("catalogue", "gzip", b"\x15" + packed)
seed("catalogue", "gzip_cut", b"\x15" + packed[:-9])
seed("catalogue", "gzip_twice", b"\x15" + packed + packed)
seed("catalogue", "gzip_zeros", b"\x14" + gzip.compress(b"\0" * 300_000, mtime=0))
seed("catalogue", "parquet_name", b"\x00PAR1")
try:
    import zstandard

    packed = zstandard.ZstdCompressor().compress(shop.encode())
    seed("catalogue", "zstd", b"\x15" + packed)
    seed("catalogue", "zstd_cut", b"\x15" + packed[:-3])
except ImportError:
    print("zstandard is missing: the seeds of Zstandard stay as they are")

MAPPINGS = {
    "whole": "id = '商品编码'\ntitle = '名'\ncategory = ['一级', '二级']\nextra = ['旧价']\n[attributes]\n\"材质\" = '面料'\n"
    "[constants]\ncurrency = 'CNY'\n---\ntitle = 商品名称\nattr.颜色=色\ncategory=类\nextra=x\n---\n商品编码\n商品名称\n一级\n二级\n面料\n旧价\nx\n",
    "column": "attributes = 'props'\n---\n---\nprops\nSKU\nname\nTitle\n现价\n属性.材质\nattr.\nx\nx\nx_2\n",
    "mistakes": "colour = 'x'\n---\ntitle\ntitle=\ntitle=a\nbrand=a\n---\nid\n标题\n售价（元）\n\n",
    "tags": "tags = ['a', 'b', 'a']\n---\ntags=b\n---\nA\nb\nTags\n标签\n",
}
for name, text in MAPPINGS.items():
    seed("header_mapping", name, text)

FILTERS = [
    "price <= 300 and brand in (\"雅漾\", \"薇姿\")",
    "not (stock = 0 or `产 地` contains '法国')",
    "价格 >= １００ && 品牌 != “雅漾” || exists tags",
    "attributes.brand = x and `and` not in (true, false, -1.5e3, .5)",
    "category = 护肤/精华 and updated_at > \"2024\"",
    "price not exists and title not contains \"\\\"\\\\\\n\"",
    "true and (false or not true)",
    "price ＜＝ ３００ 、",
    "((((((((((((((((a=1))))))))))))))))",
    "not not not not not a=1",
    "a == 1e999 or b <> nan or c = \"未闭",
    "「品牌」 = 1",
    "a=1 and b=2 or c=3 and not d in (1, 1) or e in ('x')",
]
for at, text in enumerate(FILTERS):
    seed("filter", f"case_{at:02}", text)

QUERIES = ["敏感肌抗老", "  敏感肌\t\n 抗老\u3000", "a\0\x07b\x1b[0m", "\ufeff面霜\u200b", "👩‍🔬 精华 ❤️", "\u200d\ufe0f",
           "WH-1000XM5 SPF50+ 50 毫升", "有没有 200以内 不含酒精 的面霜", "brand:20", "price:desc", "updated_at:asc", "hybrid",
           "水" * 700, "ＳＫ-ＩＩ  護膚精華露 Ⅷ ﬁ ㈱ ①"]
RULES = """[[rule]]
query = "防晒"
pin = ["s003", "s010"]

[[rule]]
contains = "儿童"
bury = ["s099"]
pin = ["s003"]
"""
for at, text in enumerate(QUERIES):
    seed("query", f"text_{at:02}", text)
    seed("analysis", f"text_{at:02}", text)
seed("query", "rules", RULES)
seed("query", "rules_twice", RULES + RULES)
for at, line in enumerate(PRODUCTS.splitlines()):
    product = json.loads(line)
    seed("analysis", f"title_{at}", product["title"] + "\n" + product["description"])

QRELS = lines(FIXTURES / "catalogue/qrels.txt", 6)
seed("judgements", "qrels", "0" + QRELS)
seed("judgements", "qrels_beir", "0query-id\tcorpus-id\tscore\nq1\t商品 1\t2\n\nq2\td\t0\n")
seed("judgements", "qrels_bad", b"0q1 0 d1 3\r\nq1\tx\td2 -1\nq1 0 d1 2\nq \xff\n")
seed("judgements", "run", "1q Q0 c 9 0.5 t\nq Q0 a 2 0.5 t\nq Q0 b 2 -3e-1 t\np Q0 a 1 1e300 t\n")
seed("judgements", "queries", "2" + lines(FIXTURES / "catalogue/queries.tsv", 3))
seed("judgements", "queries_json", '2{"_id": "b", "text": " 敏感肌\\t抗老 ", "metadata": {"a": 1}}\n{"_id": 17, "text": "x"}\n')

MANIFEST = {
    "name": "m", "hub_id": "o/m", "dimension": 4, "licence": {"name": "none", "url": None, "notice": "n"},
    "packages": {"name": "p", "member": "p/chunk.bin", "folder": "f/", "parts": [{"version": "1", "size": 3, "sha256": "0" * 64}]},
    "files": [{"path": "config.json", "size": 1, "sha256": "0" * 64}, {"path": "sub/x", "size": 2, "sha256": "a" * 64}],
}
seed("manifest", "whole", json.dumps(MANIFEST))
for name, path in {"parent": "../x", "root": "/x", "backslash": "a\\b", "folder": "sub", "drive": "C:x"}.items():
    seed("manifest", name, json.dumps(MANIFEST | {"files": MANIFEST["files"] + [{"path": path, "size": 1, "sha256": "b" * 64}]}))
seed("manifest", "large", json.dumps(MANIFEST | {"files": [{"path": p, "size": 2**64 - 1, "sha256": "0" * 64} for p in "ab"]}))

floats = lambda *values: struct.pack(f"<{len(values)}f", *values)
VECTORS = {
    "text": "2 3\n面霜 0.5 -1e-3 1\n精华 1 2 3\n",
    "headerless": "面霜 0.5 -1e-3 1\n精华 1 2 3\n",
    "blank_word": "1 2\nnew york 0.5 1\n",
    "twice": "3 1\na 1\na 2\nb 3\n",
    "ragged": "2 2\na 1 2\nb 1\n",
    "tabs": "\ufeff1 2\r\na\t1\t2\r\n",
    "infinite": "1 2\na inf 1\n",
    "binary": b"2 2\n\xe9\x9d\xa2 " + floats(0.5, -1e-3) + b"\nb " + floats(1, 2) + b"\n",
    "binary_cut": b"3 2\na " + floats(0.5, 2) + b"\nb " + floats(1, 2)[:5],
    "binary_text": b"2 1\na 5\n 1\nb " + floats(0.5) + b"\n",
    "gzip": gzip.compress(b"1 2\na 0.5 1\n", mtime=0),
    "huge": "99999999999 8192\na 1\n",
    "other": "id,title\n1,a\n",
}
for name, content in VECTORS.items():
    seed("word_vectors", name, content)


def words_file(words, dimension, pooling, trained=None, changes={}):
    text = [word.encode() for word in words]
    header = {"words": len(words), "word_bytes": sum(map(len, text)), "dimension": dimension, "pooling": pooling, "trained": trained}
    body = struct.pack(f"<{len(words)}I", *map(len, text)) + b"".join(text)
    body += struct.pack(f"<{len(words)}Q", *range(1, len(words) + 1))
    body += floats(*(0.25 * n for n in range(len(words) * dimension)))
    return json.dumps(header | changes).encode() + b"\n" + body


TRAINED = {"architecture": "skip_gram", "dimension": 2, "window": 5, "negative": 5, "epochs": None, "subsample": 0.001,
           "min_count": 1, "learning_rate": 0.025, "seed": 1}
seed("words_file", "mean", words_file(["面霜", "精华"], 2, "mean"))
seed("words_file", "sif", words_file(["面霜", "b", "c"], 1, {"sif": {"a": 0.001}}, TRAINED))
seed("words_file", "none", words_file([], 3, "mean"))
seed("words_file", "twice", words_file(["a", "a"], 1, "mean"))
seed("words_file", "wide", words_file(["a"], 1, "mean", changes={"dimension": 2**62, "words": 4}))

try:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def parquet(name, table, **options):
        out = io.BytesIO()
        pq.write_table(table, out, store_schema=False, **options)
        seed("parquet", name, out.getvalue())

    plain = {"id": ["1", "2", "3"], "title": ["面霜", "精华", ""], "price": [239.0, None, -1.0], "stock": [1, None, 3]}
    parquet("plain", pa.table(plain), compression="none", use_dictionary=False, write_statistics=False)
    parquet("dictionary", pa.table(plain), compression="snappy")
    for compression in ("gzip", "zstd", "lz4", "brotli"):
        parquet(compression, pa.table(plain), compression=compression, write_statistics=False, use_dictionary=False)
    nested = pa.table({
        "id": pa.array([1, 2]), "title": pa.array(["a", "b"]), "tags": pa.array([["x", "y"], None]),
        "attributes": pa.array([[("色", ["红"])], []], pa.map_(pa.string(), pa.list_(pa.string()))),
        "shop": pa.array([{"a": {"b": [1, 2]}}, None]), "time": pa.array([0, 1], pa.timestamp("ns")),
        "bytes": pa.array([b"\xff", b"a"]),
    })
    parquet("nested", nested, compression="none", use_dictionary=False, write_statistics=False)
    parquet("small", pa.table({"id": ["1"], "title": ["t"]}), compression="none", use_dictionary=False, write_statistics=False)
except ImportError:
    print("pyarrow is missing: the seeds of Parquet stay as they are")


def schema(children):
    """A footer of nothing but a schema whose nodes have these numbers of children."""
    def varint(number):
        out = b""
        while number >= 0x80:
            out += bytes([number & 0x7f | 0x80])
            number >>= 7
        return out + bytes([number])

    footer = b"\x15\x02\x19\xfc" + varint(len(children))
    for count in children:
        footer += b"\x35\x00\x18\x01a\x15" + varint(2 * count) + b"\x00"
    footer += b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


seed("parquet", "deep", schema([1] * 500 + [0]))
seed("parquet", "promises", schema([1, 1 << 30]))


def archive(*files):
    """An archive of a snapshot up to its list of checksums, which the target adds."""
    about = {
        "archive_format": 1, "created_by": "0.1.0", "created_unix": 1790000000, "index_format": 1, "model": "tiny", "generation": 3,
        "products": 2, "files": len(files), "bytes": sum(len(content) for _, content in files),
    }
    out = b""
    for name, content in [("snapshot.json", json.dumps(about).encode()), *files]:
        out += name.encode().ljust(100, b"\x00") + b"0000644\x00" + b"0000000\x00" * 2
        out += f"{len(content):011o}\x00{about['created_unix']:011o}\x00".encode() + b" " * 8 + b"0"
        out = (out + b"\x00" * 100 + b"ustar\x0000").ljust(-(-len(out) // 512) * 512, b"\x00") + content
        out = out.ljust(-(-len(out) // 512) * 512, b"\x00")
    return out


seed("archive", "plain", archive(("manifest.json", b"{}"), ("db/CURRENT", b"MANIFEST-000005\n")))
seed("archive", "empty", archive())
seed("archive", "escapes", archive(("db/../../x", b"x"), ("/etc/x", b"")))
seed("archive", "twice", archive(("manifest.json", b"{}"), ("manifest.json", b"{}")))

if len(sys.argv) > 1:
    for model, precision in (("tiny-gemma3", "int8"), ("tiny-bert", "bf16")):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / model
            shutil.copytree(FIXTURES / model, copy)
            # The times of files stand in the header; a fixed one makes the same seed each time.
            subprocess.run(["find", copy, "-exec", "touch", "-d", "2026-01-01", "{}", "+"], check=True)
            subprocess.run([sys.argv[1], "model", "prepare", copy, "--precision", precision], check=True)
            (path,) = copy.glob("xunpin/*.xpm")
            content = path.read_bytes()
            (length,) = struct.unpack("<I", content[12:16])
            header = json.loads(content[24:24 + length])
            seed("prepared_model", model, json.dumps(header, separators=(",", ":")))
            if section := header["sections"].get("tokenizer"):
                blob = content[section["offset"]:section["offset"] + section["bytes"]]
                seed("tokenizer_blob", model, blob + b"\x00")

total = sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file())
print(f"{sum(1 for file in CORPUS.rglob('*') if file.is_file())} seeds, {total:,} bytes")

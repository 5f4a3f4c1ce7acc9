"""Blocks as one self-contained HTML page: no script, nothing loaded, light and dark; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from rftj_cli.files.text import write_whole
from rftj_cli.kernel.secrets import redacted
from rftj_cli.report.blocks import Block, Difference, Entries, Facts, Grid, Heading, Lines
from rftj_cli.report.words import plain

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5c6670;--page:#fff;--line:#e3e6e9;--wash:#f5f6f7;--gone:#a11d2b;
--gone-wash:#fbe9ea;--new:#0d6b3a;--new-wash:#e4f5eb}
@media (prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#9aa4ad;--page:#15181b;--line:#2c3237;--wash:#1d2125;
--gone:#ff9aa2;--gone-wash:#3b1d21;--new:#7fdca4;--new-wash:#163024}}
body{margin:2.5rem auto;max-width:62rem;padding:0 1.25rem;background:var(--page);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.35rem;margin:0 0 1rem}h2{font-size:1rem;margin:2.2rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--line)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:.7rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
ul{margin:.3rem 0;padding-left:1.1rem}.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:500;white-space:pre-line;vertical-align:bottom}
th,td{padding:.28rem 1.1rem .28rem 0;text-align:right}th.word,td.word{text-align:left;white-space:normal}td{border-top:1px solid var(--line);white-space:nowrap}
tr.strong td{font-weight:600}.entry{margin:.7rem 0}.entry p{margin:.1rem 0 .1rem 1.4rem;color:var(--soft);overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--wash);border:1px solid var(--line);border-radius:6px;
padding:.9rem 1rem;font:13px/1.55 ui-monospace,Menlo,Consolas,monospace}
del{color:var(--gone);background:var(--gone-wash)}ins{color:var(--new);background:var(--new-wash);text-decoration:none}
.out{color:var(--soft)}
"""


def write(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Write the page of a report. An existing file is replaced in one step."""
    write_whole(path, redacted(to_html(title, blocks)))


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """The page as text. Its policy forbids scripts and loading, whatever a text of a sample may hold."""
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n",
            *(part for block in blocks for part in _block(block)),
            "</body></html>\n",
        ]
    )


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"<h2>{_text(block.text)}</h2>\n"
    elif isinstance(block, Lines):
        yield "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in block.lines) + "</ul>\n"
    elif isinstance(block, Facts):
        yield "<dl>" + "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in block.rows) + "</dl>\n"
    elif isinstance(block, Entries):
        for name, lines in block.rows:
            yield f'<div class="entry">{_text(name)}' + "".join(f"<p>{_text(line)}</p>" for line in lines) + "</div>\n"
    elif isinstance(block, Difference):
        yield "<pre>" + "".join(_stretch(one.what, one.text) for one in block.stretches) + "</pre>\n"
    elif block.rows:
        yield from _grid(block)


def _stretch(what: str, text: str) -> str:
    tags = {"gone": ("<del>", "</del>"), "new": ("<ins>", "</ins>"), "left_out": ('<span class="out">', "</span>")}
    before, after = tags.get(what, ("", ""))
    return f"{before}{_text(text)}{after}"


def _grid(block: Grid) -> Iterator[str]:
    kinds = [' class="word"' if block.is_word(index) else "" for index in range(len(block.headers))]
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f"<th{kind}>{_text(name)}</th>" for kind, name in zip(kinds, block.headers, strict=True))
    yield "</tr></thead><tbody>"
    for index, row in enumerate(block.rows):
        strong = ' class="strong"' if index in block.strong else ""
        cells = "".join(f"<td{kind}>{_text(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        yield f"<tr{strong}>{cells}</tr>"
    yield "</tbody></table></div>\n"


def _text(text: str) -> str:
    return escape(plain(text), quote=True)

# SPDX-License-Identifier: MIT
"""Reads a public header: its first comment, and each comment that begins with two stars, with what it stands above. What
does not fit is an error: a call without a comment, a parameter or field that is named in one and is not there."""

import re

SECTIONS = ("Context", "Returns", "Memory ordering", "Misuse", "Fork", "Source")
TAG = r"@\w+(?:, @\w+)*: "
SECTION = r"(?:%s): " % "|".join(SECTIONS)
# Parts of a declaration that say nothing to a reader.
NOISE = re.compile(r"\bBMA_API\b|\bBMA_NOPLT\b|\bstatic inline\b|\bextern\b|__attribute__\(\(.*?\)\)(?=[\s;{(]|$)")


class Bad(Exception):
    """What is wrong, and where."""


class Block:
    """A paragraph: kind "text", "list" (a line of its own), "tag" (names: text) or "section" (name: text)."""

    def __init__(self, kind, text, names=()):
        self.kind, self.text, self.names = kind, text, list(names)


class Item:
    """One comment and what it is about. kind: function, macro, constant, struct or enum."""

    def __init__(self, kind, names, blocks, declarations):
        self.kind, self.names, self.blocks, self.declarations = kind, names, blocks, declarations


def lines_of(comment):
    """The lines of a comment without its frame; tabs that begin one are kept."""
    return [re.sub(r"^\s*\*(?: |(?=\t)|$)", "", line).rstrip() for line in comment.strip().split("\n")]


def blocks_of(lines):
    """Paragraphs of lines: an empty line ends one; a tag, a section and a line that begins with a tab begin one."""
    blocks = []
    for line in lines:
        if not line.strip():
            blocks.append(None)
            continue
        text = line.strip()
        if line.startswith("\t"):
            blocks.append(Block("list", text))
        elif re.match(TAG, text):
            blocks.append(Block("tag", text))
        elif re.match(SECTION, text) or not blocks or blocks[-1] is None:
            blocks.append(Block("text", text))
        else:
            blocks[-1].text += " " + text
    return [piece for block in blocks if block for piece in divide(block)]


def divide(block):
    """A block may hold more than one tag, each after a semicolon or full stop, and then sections."""
    if block.kind == "list":
        return [block]
    parts = re.split(r"(?<=[.;:)]) (?=%s)|^(?=%s)" % (SECTION, SECTION), block.text)
    parts = [part for part in parts if part]
    out = []
    for part in parts:
        section = re.match(r"(%s): " % "|".join(SECTIONS), part)
        if section:
            out.append(Block("section", part[section.end():], [section[1]]))
        elif block.kind == "tag" and not out:
            for one in re.split(r"(?<=[.;]) (?=%s)" % TAG, part):
                tag = re.match(TAG, one)
                out.append(Block("tag", one[tag.end():].rstrip(";"), re.findall(r"@(\w+)", tag[0])))
        else:
            out.append(Block("text", part))
    return out


def declaration(source):
    """What stands at the beginning of source, up to its end; and the rest."""
    source = re.sub(r"\A(?:\s+|/\*.*?\*/|#(?!define)(?:[^\n]*\\\n)*[^\n]*)*", "", source, flags=re.S)
    if source.startswith("#define"):
        end = re.match(r"(?:[^\n]*\\\n)*[^\n]*", source).end()
        return source[:end], source[end:]
    depth = 0
    for at, c in enumerate(source):
        if c == "{" and not re.match(r"(typedef )?(struct|enum)\b[^(]*\Z", source[:at]):
            return source[:at].rstrip() + ";", source[at:]
        depth += (c in "{(") - (c in "})")
        if c == ";" and not depth:
            return source[:at + 1], source[at + 1:]
    raise Bad("a declaration does not end: %s" % source[:60])


def clean(text):
    """A declaration on one line, without what is for compilers only."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = " ".join(NOISE.sub("", text).split())
    return re.sub(r"\s+;", ";", text)


def split_commas(text):
    """At commas outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


def declared(text):
    """Name of one parameter or member."""
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*[\[)]", text)
    names = re.findall(r"\w+", re.sub(r"\[.*?\]", "", text))
    return pointer[1] if pointer else names[-1] if names else ""


def parameters(text):
    """Names of a function's or macro's parameters, of a struct's members, of an enum's values."""
    define = re.match(r"#define\s+\w+\(([^)]*)\)", text)
    if define:
        return split_commas(define[1])
    body = re.search(r"\{(.*)\}", re.sub(r"/\*.*?\*/", "", text, flags=re.S), re.S)
    if body and re.match(r"\s*enum\b", text):
        return [re.match(r"\w+", value)[0] for value in split_commas(body[1])]
    if body:
        return [declared(one) for member in body[1].split(";") if member.strip()
                for one in split_commas(member)]
    call = re.search(r"\w+\((.*)\)", clean(text))
    return [declared(one) for one in split_commas(call[1])] if call else []


def kind_of(text):
    """What a declaration is."""
    word = re.match(r"\s*(struct|enum)\s+\w+\s*[{;]", text)
    if word:
        return word[1]
    if text.startswith("#define"):
        return "macro" if re.match(r"#define\s+\w+\(", text) else "constant"
    return "function"


def expand(text):
    """A header with the members that its lists make: #define NAME(F) F(member, "unit", "text") ..., in a struct as NAME(...).
    What each of them is stands behind it in a comment of its own kind, for read_item()."""
    entry = re.compile(r'F\((\w+),[\s\\]*"([^"]*)",[\s\\]*((?:"[^"]*"[\s\\]*)+)\)')
    for made in re.finditer(r"^#define (\w+)\(F\)(?:[^\n]*\\\n)+[^\n]*", text, re.M):
        members = ["\tuint64_t %s; /*= %s (%s) */" % (name, "".join(re.findall(r'"([^"]*)"', what)), unit)
                   for name, unit, what in entry.findall(made[0])]
        text = re.sub(r"^\t%s\(\w+\)$" % made[1], lambda _, lines=members: "\n".join(lines), text, flags=re.M)
    return text


def read_item(comment, source):
    """The comment, and the declarations that follow it: as many as it names."""
    blocks = blocks_of(lines_of(comment))
    head = re.match(r"((?:struct |enum )?\w+(?:, \w+)*) - ", blocks[0].text) if blocks else None
    if not head:
        raise Bad("a comment without a name: %s" % comment.strip()[:60])
    blocks[0].text = blocks[0].text[head.end():]
    names = [name.split()[-1] for name in head[1].split(", ")]
    found = []
    for name in names:
        text, source = declaration(source)
        if not re.search(r"\b%s\b" % name, text):
            raise Bad("the comment of %s stands above: %s" % (name, clean(text)[:60]))
        for member in re.finditer(r"(\w+); /\*= (.*?) \*/", text):
            blocks.append(Block("tag", member[2], [member[1]]))
        found.append(re.sub(r" /\*= .*? \*/", "", text))
    known = {name for text in found for name in parameters(text)}
    for block in blocks:
        for name in block.names if block.kind == "tag" else ():
            if name not in known:
                raise Bad("%s has no %s" % (names[0], name))
    return Item(kind_of(found[0]), names, blocks, found)


def read(text):
    """Head of a header, its items, and what is wrong with it."""
    text = expand(text)
    head = re.search(r"/\*(?!\*| SPDX)(.*?)\*/", text, re.S)
    head = blocks_of(lines_of(head[1])) if head else []
    items, wrong = [], [] if head else ["no comment at its head"]
    for comment in re.finditer(r"/\*\*\s(.*?)\*/", text, re.S):
        try:
            items.append(read_item(comment[1], text[comment.end():]))
        except Bad as bad:
            wrong.append(str(bad))
    names = {name for item in items for name in item.names}
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for call in re.finditer(r"^BMA_API[^;{]*?\b(\w+)\(", bare, re.M):
        if call[1] not in names and not call[1].startswith(("bma__", "bma_bpf_")):
            wrong.append("%s has no comment" % call[1])
    return head, items, wrong

#!/usr/bin/python3
"""Every sentence that cli/ says to people is in the Vietnamese catalogue, with the same gaps, and nothing else is.
Usage: catalogue.py CLI_FOLDER [--missing]"""

import re
import sys
from pathlib import Path

LITERAL = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'


def unquote(source: str) -> str:
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', source)
    return "".join(parts).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def strip_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*//.*$", "", text)


def literals_of_call(text: str, start: int) -> list[str]:
    """The literals that are whole arguments of the call whose '(' is at start, alternatives of ?: among them."""
    depth, at, found = 0, start, []
    current = ""
    while at < len(text):
        match = re.compile(LITERAL).match(text, at) if text[at] == '"' else None
        if match:
            if depth == 1:
                found.append(unquote(match.group(1)))
            at = match.end()
            continue
        if text[at] in "({[":
            depth += 1
        elif text[at] in ")}]":
            depth -= 1
            if depth == 0:
                return found
        at += 1
    return found


def used(folder: Path) -> set[str]:
    sentences = set()
    for path in sorted(folder.glob("*.cc")):
        if path.name in ("vietnamese.cc", "messages.cc"):
            continue
        text = strip_comments(path.read_text())
        for match in re.finditer(r"\b(tr|say|counted|option_list)\(", text):
            found = literals_of_call(text, match.end() - 1)
            if not found:
                continue
            # say(choice ? "a" : "b", …): both; say("frame", "value"): the first alone.
            if match.group(1) == "say":
                head = text[match.end() : match.end() + 4000]
                alternatives = re.match(r"\s*[^,()\"]*\?\s*" + LITERAL + r"\s*:\s*" + LITERAL, head)
                sentences.update([unquote(alternatives.group(1)), unquote(alternatives.group(2))] if alternatives else found[:1])
            elif match.group(1) == "option_list":
                sentences.add(found[0])
            else:
                sentences.update(found)
        for match in re.finditer(r"\.(?:summary|description|help)\s*=\s*" + LITERAL, text):
            sentences.add(unquote(match.group(1)))
        # {"name", "VALUE", "help"} of options, {"command", "what"} of examples, {"term", "meaning"} of the manual.
        for match in re.finditer(r'\{\s*"[a-z-]+",\s*"[A-Z=]*",\s*' + LITERAL + r"\}", text):
            sentences.add(unquote(match.group(1)))
        for match in re.finditer(r"\{\s*" + LITERAL + r",\s*" + LITERAL + r"\}", text):
            first = unquote(match.group(1))
            if re.match(r"(qcbak|export QCBAK|QCBAK_|source)", first) or path.name == "manual.cc" and "constexpr Term" in text:
                sentences.add(unquote(match.group(2)))
        for match in re.finditer(r"std::string_view frame = .*?;", text, re.S):
            sentences.update(unquote(m) for m in re.findall(LITERAL, match.group(0)))
        for match in re.finditer(r'std::string_view\("([^"]*)"\)', text):
            sentences.add(match.group(1))
        if path.name == "output.cc":
            body = text[text.index("std::string_view lead(") : text.index("void put_name")]
            sentences.update(unquote(m) for m in re.findall(r"return " + LITERAL, body))
    return {s for s in sentences if re.search("[A-Za-z]{2}", s) or "{}" in s and re.search("[A-Za-z]", s)}


def catalogue(path: Path) -> dict[str, str]:
    entries = {}
    for match in re.finditer(r"\{\s*" + LITERAL + r",\s*" + LITERAL + r"\}", strip_comments(path.read_text())):
        entries[unquote(match.group(1))] = unquote(match.group(2))
    return entries


def gaps(text: str) -> int:
    return len(re.findall(r"\{\}", text))


def main() -> int:
    folder = Path(sys.argv[1])
    sentences = used(folder)
    known = catalogue(folder / "vietnamese.cc") if (folder / "vietnamese.cc").exists() else {}
    missing = sorted(sentences - set(known))
    if "--missing" in sys.argv:
        print("\n".join(repr(s) for s in missing))
        return 0
    wrong = [s for s, translation in known.items() if gaps(s) != gaps(translation) or not translation]
    for sentence in missing:
        print(f"not in the catalogue: {sentence!r}")
    for sentence in wrong:
        print(f"other gaps than the original: {sentence!r}")
    return 1 if missing or wrong or not sentences else 0


if __name__ == "__main__":
    sys.exit(main())

"""Files that are not well-formed XML, each with one defect: what several tests read, mend, and give to SIPp."""

from __future__ import annotations

from typing import NamedTuple

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def message(extra: str = "", attributes: str = "", after: str = "") -> str:
    """A `<send>` whose header X says `extra`."""
    text = f"\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\nCSeq: 1 OPTIONS\nX: {extra}\n"
    return f"<send{attributes}><![CDATA[{text}]]>{after}</send>"


def logged(action: str) -> str:
    """A message after which an action is done."""
    return message(after=f"<action>{action}</action>")


def file(body: str, head: bytes = HEAD, tail: str = "") -> bytes:
    """A whole file; characters are bytes."""
    return head + f'<scenario name="x">\n{body}\n</scenario>{tail}\n'.encode("latin-1")


class Broken(NamedTuple):
    """One defect: what the problem says, on which line, and whether SIPp 3.6.1 reads the file."""

    name: str
    data: bytes
    words: str
    line: int
    old_sipp: bool = True


REPAIRED = [
    Broken("twice", file(logged('<log message="one" message="two"/>')), "message= is written twice, and the first", 8),
    Broken("twice the same", file(message(attributes=' crlf="a" crlf="a"')), "crlf= is written twice; remove one", 3),
    Broken("less", file(logged('<log message="a<b>"/>')), "in message=, write < as &lt;", 8, False),
    Broken("and", file(logged('<log message="a & b &c; &lt x; &amp;"/>')), "in message=, write & as &amp;", 8),
    Broken("quote", file(logged(r'<log message="a \"b\" c"/>')), r'write \\" as &quot;', 8),
    Broken(
        "quotes in a pattern",
        file(
            message('1 "q" 2')[: -len("</send>")]
            + r'<action><ereg regexp="\"([^\"]*)\"" search_in="hdr" header="X:" assign_to="_,a"/><log message="[$a]"/>'
            + "</action></send>"
        ),
        r'in regexp=, write \\" as &quot;',
        8,
    ),
    Broken("glued", file(message(attributes=' hide="false"lost="100"')), "no blank before lost=, so SIPp does not", 3),
    Broken("comma", file(logged('<log hide="a", message="two"/>')), ", between attributes is ignored", 8),
    Broken("comma, glued", file(message(attributes=' hide="0",lost="100"')), "no blank before lost=", 3),
    Broken("semicolon", file(logged('<log hide="a"; message="two"/>')), "; between attributes is ignored", 8),
    Broken("no value", file(message(attributes=' crlf retrans="500"')), "crlf has no value and is ignored", 3),
    Broken("stray quote", file(message(attributes=' retrans="500""')), '" between attributes is ignored', 3),
    Broken("comment in a tag", file(logged('<log <!-- "x" --> message="two"/>')), "a comment inside of a tag", 8),
    Broken("dashes", file("<!-- a -- b --->\n" + message()), "a comment cannot hold --", 3),
    Broken("text after", file(message(), tail="\nsee & tell -- you"), "text after </scenario> is ignored", 10),
    Broken("text before", file(message(), HEAD + b"words\n"), "text before <scenario> is ignored", 2),
    Broken("end tag after", file(message(), tail="\n</scenario>"), "</scenario> closes nothing; remove it", 10),
    Broken("no end", HEAD + b"<scenario>" + message().encode(), "</scenario> is missing at the end", 7),
    Broken("blank first", b"\n" + file(message()), "something stands before <.xml", 1, False),
    Broken("comment first", b"<!-- x -->" + file(message()), "something stands before <.xml", 1, False),
    Broken("wrong encoding", file(message("caf\xe9")), "the text is not UTF-8, as the declaration says", 1),
    Broken("no encoding", file(message("\xe9"), b'<?xml version="1.0"?>\n'), "the text is not UTF-8, as the decl", 1),
    Broken("odd encoding", file(message(), b'<?xml version="1.0" encoding="UTF-16"?>\n'), "the text is not UTF-16", 1),
    Broken("odd declaration", file(message(), b"<?xml version=1.0 ?>\n"), "write the declaration as <.xml", 1),
    Broken("cdata end", file(message(after=" ]]> ")), "]]> without <!\\[CDATA\\[ is ignored", 8),
    Broken("and in text", file("a & b" + message()), "a & in text between elements", 3),
    Broken("doctype", file(message(), HEAD + b"<!DOCTYPE scenario SYSTEM sipp.dtd>\n"), "write the DOCTYPE as", 2),
    Broken("control", file(message("a\x1bb")), "a control character in a message; write it as", 7),
    Broken("end tag", file(message()[:-1] + ' foo="x">'), "</send> cannot have attributes", 8),
]
"""What is read, with a warning."""

REFUSED = [
    Broken("no quotes", file(logged("<log message=two/>")), 'message= is not in quotes; write message="two"', 8),
    Broken("half a quote", file(logged('<log message=two"/>')), 'message= is not in quotes; write message="two"', 8),
    Broken("slash", file("<nop / >" + message()), "a blank between / and >", 3),
    Broken("end tag", file("<nop><action></acton></nop>" + message()), "</acton> closes nothing", 3),
    Broken("less in text", file("a < b" + message()), "a < that begins no element", 3),
]
"""What is an error, but can be mended."""

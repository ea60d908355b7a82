"""The XML reader refuses what is dangerous, and its canonical form is the one of the recommendation's examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import _xml


def canonical(text: str) -> str:
    return _xml.canonical(_xml.parse(text.encode(), what="test")).decode()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<a/>", "<a></a>"),
        ("<?xml version='1.0'?>\n<a   b = 'c' />\n", '<a b="c"></a>'),
        ('<e z="1" a="2" xmlns:q="u" q:b="3"/>', '<e xmlns:q="u" a="2" z="1" q:b="3"></e>'),
        ('<e xmlns:b="z" xmlns:c="a" b:x="1" c:y="2"/>', '<e xmlns:b="z" xmlns:c="a" c:y="2" b:x="1"></e>'),
        ('<e xmlns="u"><f xmlns="u"/><g xmlns=""/></e>', '<e xmlns="u"><f></f><g xmlns=""></g></e>'),
        ('<e xmlns:a="u"><a:f xmlns:a="u"/></e>', '<e xmlns:a="u"><a:f></a:f></e>'),
        ("<e>a&#xD;b &lt;&amp;&gt;\" '</e>", "<e>a&#xD;b &lt;&amp;&gt;\" '</e>"),
        ('<e a="&#x9;&#xA;&#xD;&quot;&lt;&amp;>"/>', '<e a="&#x9;&#xA;&#xD;&quot;&lt;&amp;>"></e>'),
        ('<e a="x\ty"/>', '<e a="x y"></e>'),
        ("<e>a<!-- gone -->b</e>", "<e>ab</e>"),
        ("<e><![CDATA[a<b]]></e>", "<e>a&lt;b</e>"),
        ("<e>\r\n</e>", "<e>\n</e>"),
        ("<e>ä</e>", "<e>ä</e>"),
    ],
)
def test_canonical(text: str, wanted: str) -> None:
    assert canonical(text) == wanted


def test_a_part_takes_the_namespaces_and_attributes_around_it() -> None:
    root = _xml.parse(b'<r xmlns="d" xmlns:p="u" xml:lang="en"><p:s><t/></p:s></r>', what="test")
    part = root.only("u", "s")
    assert _xml.canonical(part) == b'<p:s xmlns="d" xmlns:p="u" xml:lang="en"><t></t></p:s>'
    assert _xml.canonical(root, without=part) == b'<r xmlns="d" xmlns:p="u" xml:lang="en"></r>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a>",
        "<a/><b/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a>&nothing;</a>",
        "<?run me?><a/>",
        "<p:a/>",
        "<a p:b='1'/>",
        '<a xml:id="1"/>',
        '<a xml:base="http://x"/>',
        '<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>',
        '<a xmlns:p=""/>',
        '<a xmlns:xml="u"/>',
        "<a>" * 40 + "</a>" * 40,
        "<a>" + "<b/>" * 20000 + "</a>",
        "<a " + " ".join(f"xmlns:n{at}='u'" for at in range(80)) + "/>",
        f"<a>{'x' * (1 << 20)}</a>",
        "<?xml version='1.0' encoding='nothing'?><a/>",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(FormatError):
        _xml.parse(text.encode(), what="test")


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="<>/ab='\"&;:xmlns!-[] ", max_size=80).map(str.encode)))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        root = _xml.parse(data, what="test")
    except FormatError:
        return
    once = _xml.canonical(root)
    assert _xml.canonical(_xml.parse(once, what="test")) == once

"""Text of the data set's files, in whichever of two encodings a Japanese laboratory's computer wrote it."""

from __future__ import annotations


def decoded(raw: bytes, encoding: str = "utf-8-sig") -> tuple[str, str]:
    """Return text, and what is to be said of how it was read.

    Parameters
    ----------
    raw : bytes
    encoding : str
        What the text is in, if it is not Shift-JIS.

    Returns
    -------
    text : str
        Bytes that are neither stand as U+FFFD.
    told : str
        ``holds Shift-JIS text, decoded as such``, to stand behind a file's name; empty where it holds none.
    """
    try:
        return raw.decode(encoding), ""
    except UnicodeDecodeError:
        text = raw.decode("cp932", errors="replace")
    lost = text.count("\N{REPLACEMENT CHARACTER}")
    unreadable = f", {lost} bytes unreadable" if lost else ""
    return text, f"holds Shift-JIS text, decoded as such{unreadable}"

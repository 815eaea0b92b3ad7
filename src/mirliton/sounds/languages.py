"""The order in which prompt languages are tried (semantics 5.3). Pure."""

import re

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*(_[a-z0-9-]{2,20})?")


def language_chain(language: str, default: str) -> list[str]:
    """`fr-fr_en-us` -> `["fr-fr_en-us", "fr-fr", "fr"]`; text that is no language gives the default alone."""
    wanted = language.strip().lower()
    if not _LANGUAGE.fullmatch(wanted):
        return [default]
    chain = [wanted]
    if "_" in wanted:
        chain.append(wanted.partition("_")[0])
    if "-" in chain[-1]:
        chain.append(chain[-1].partition("-")[0])
    return chain


def language_rounds(language: str, *defaults: str) -> list[list[str]]:
    """The chain of the wanted language, then those of the defaults; no language twice."""
    rounds: list[list[str]] = []
    seen: set[str] = set()
    for start in (language, *defaults):
        chain = [one for one in language_chain(start, defaults[0]) if one not in seen]
        seen.update(chain)
        if chain:
            rounds.append(chain)
    return rounds


def same_tongue(one: str, other: str) -> bool:
    """Whether two languages are varieties of one: `en-gb` and `en-us`."""
    return re.split("[-_]", one)[0] == re.split("[-_]", other)[0]

"""What texts have in common: words, clusters of texts by cosine of tf-idf, and the words that tell a cluster from others.

The same texts and seed give the same clusters. Works for any script: a word is a run of letters, marks and digits; scripts
that are written without spaces (Chinese, Japanese, Thai) are taken two characters at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.linkage import cut, mean_silhouette, ward

READ = 2_000  # characters of a text that are read
LONGEST_WORD = 40
VOCABULARY = 2_000  # words
MOST_PAIRED = 1_000  # texts compared each with each; further ones join the cluster they are nearest to
MOVES = 10
CLUSTERS = 5  # named clusters at most
SHUFFLES, OF_MANY, MANY = 9, 3, 300  # deals of the words at random; fewer from MANY texts on, where chance fits worse
TERMS = 5
Words = Sequence[str]
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_ENGLISH = """
a about after all also although an and any are as at be because been before being both but by can could did do does
doing each either else even every few for from further had has have having he her here hers him his how i if in into
is it its itself just me more most my neither no nor not of off on once one only or other our out over own per same
she should since so some such than that the their them then there these they this those through thus to too under
until up upon us very was we were what when where whether which while who whom whose why will with within without
would you your
"""
STOP_WORDS = frozenset(_ENGLISH.split())


@dataclass(frozen=True, slots=True)
class TextClusters:
    """of: (n,) cluster of each text, 0..count-1 largest first, -1 where it is like no other;  capped: n was too many to pair."""

    of: Ints
    count: int
    capped: bool


def words(text: str) -> list[str]:
    """The words of a text, case aside, without English stop words, numbers and single letters."""
    found: list[str] = []
    for word in text[:READ].casefold().translate(_BREAKS).split():
        unspaced = _UNSPACED.findall(word)
        for run in unspaced:
            found += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        rest = _UNSPACED.sub(" ", word).split() if unspaced else [word]
        found += [w for w in rest if 1 < len(w) <= LONGEST_WORD and not w.isdigit() and w not in STOP_WORDS]
    return found


class _Breaks(dict[int, int]):
    """For `str.translate`: what is no letter, mark or digit becomes a space; each character is looked up once."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        inside = character.isalnum() or unicodedata.category(character)[0] == "M"
        self[code] = code if inside else ord(" ")
        return self[code]


_BREAKS = _Breaks()


def cluster_texts(texts: Sequence[Words], *, most: int = CLUSTERS, seed: int = 0) -> TextClusters:
    """Texts, each as its words, in at most `most` clusters of two or more; `of` is -1 for those that are like no other.

    tf-idf with (1 + log tf) log((1 + n)/df), cosine, Ward's criterion, then k-means from there; the number of clusters is the one with the largest
    mean silhouette (Rousseeuw 1987). It stays one cluster where no division fits better than the best one of the same words
    dealt to the texts at random.
    """
    counts = [Counter(text) for text in texts]
    vectors = _vectors(counts)
    known = np.flatnonzero(vectors.any(axis=1))
    paired = known[_spaced(known.size, MOST_PAIRED)]
    of = np.full(len(texts), -1, dtype=np.int64)
    if paired.size >= 2:
        codes, fit = _best_division(vectors[paired], most)
        chance = _chance_fit([counts[at] for at in paired], most, seed)
        of[paired] = codes if fit > chance else 0
        rest = np.setdiff1d(known, paired)
        if rest.size:
            of[rest] = _nearest(vectors, of, rest)
    return TextClusters(*_by_size(of), capped=paired.size < known.size)


def telling_words(inside: Sequence[Words], outside: Sequence[Words], *, most: int = TERMS) -> tuple[str, ...]:
    """The words that are in more of the texts `inside` than of those `outside`, the most distinguishing first.

    z of the log odds ratio of document frequencies with 1/2 added to each count (Haldane, Anscombe); at least two texts
    (or all, of one) have the word. Empty where nothing distinguishes.
    """
    mine, others = (_document_counts(texts) for texts in (inside, outside))
    n, m, least = len(inside), len(outside), min(2, len(inside))
    scored = []
    for word, count in mine.items():
        a, b = count + 0.5, n - count + 0.5
        c, d = others.get(word, 0) + 0.5, m - others.get(word, 0) + 0.5
        gap = log(a * d / (b * c)) / (1 / a + 1 / b + 1 / c + 1 / d) ** 0.5
        if count >= least and gap > 0:
            scored.append((-gap, word))
    return tuple(word for _, word in sorted(scored)[:most])


def _document_counts(texts: Sequence[Words]) -> Counter[str]:
    return Counter(word for text in texts for word in set(text))


def _vectors(counts: Sequence[Counter[str]]) -> Floats:
    """Unit rows (n, words) of tf-idf; a row of zeros where a text shares no word with another."""
    n = len(counts)
    frequency = Counter(word for count in counts for word in count)
    shared = sorted((-df, word) for word, df in frequency.items() if df > 1)[:VOCABULARY]
    place = {word: at for at, (_, word) in enumerate(shared)}
    found = np.zeros((n, max(1, len(place))), dtype=np.float32)
    for row, count in enumerate(counts):
        for word, times in count.items():
            if (at := place.get(word)) is not None:
                found[row, at] = (1 + log(times)) * log((1 + n) / frequency[word])
    length = np.sqrt((found * found).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(found, length, out=np.zeros_like(found), where=length > 0), np.float64)


def _spaced(n: int, most: int) -> Ints:
    """At most `most` of n places, evenly spaced."""
    return np.arange(n) if n <= most else (np.arange(most) * n) // most


def _best_division(vectors: Floats, most: int) -> tuple[Ints, float]:
    """Cluster codes (n,) of unit vectors, -1 for those alone in their part, and the mean silhouette."""
    distance = np.maximum(1 - vectors @ vectors.T, 0.0)
    np.fill_diagonal(distance, 0.0)
    n = len(vectors)
    tree = ward(distance)
    best, fit = np.zeros(n, dtype=np.int64), 0.0
    for parts in range(2, min(n - 1, 2 * most) + 1):
        codes = _moved(vectors, cut(tree, n, parts))
        if int((np.bincount(codes) > 1).sum()) > most:
            break
        found = mean_silhouette(distance, codes)
        if found > fit + 1e-9:
            best, fit = codes, found
    return np.where(np.bincount(best)[best] > 1, best, -1), fit


def _chance_fit(counts: Sequence[Counter[str]], most: int, seed: int) -> float:
    """The best fit that the same words reach when they are dealt at random to texts of the same lengths."""
    rng = np.random.default_rng(seed)
    every = [word for count in counts for word in sorted(count.elements())]
    ends = np.cumsum([count.total() for count in counts])[:-1]
    fits = []
    for _ in range(SHUFFLES if len(counts) < MANY else OF_MANY):
        dealt = np.split(rng.permutation(len(every)), ends)
        vectors = _vectors([Counter(every[at] for at in part) for part in dealt])
        use = vectors.any(axis=1)
        fits.append(_best_division(vectors[use], most)[1] if use.sum() > 2 else 0.0)
    return max(fits)


def _moved(vectors: Floats, codes: Ints) -> Ints:
    """The division after each text has gone to the part whose mean it is nearest to, a few times (k-means by cosine)."""
    for _ in range(MOVES):
        new = np.unique((vectors @ _centres(vectors, codes).T).argmax(axis=1), return_inverse=True)[1].astype(np.int64)
        if np.array_equal(new, codes):
            break
        codes = new
    return codes


def _centres(vectors: Floats, codes: Ints) -> Floats:
    """Unit mean vectors (k, words) of the parts."""
    sums = np.eye(int(codes.max()) + 1)[codes].T @ vectors
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def _nearest(vectors: Floats, of: Ints, rest: Ints) -> Ints:
    """The cluster whose mean vector each of `rest` is nearest to; -1 where it shares no word with any."""
    inside = np.flatnonzero(of >= 0)
    if not inside.size:
        return np.full(rest.size, -1, dtype=np.int64)
    names, codes = np.unique(of[inside], return_inverse=True)
    likeness = vectors[rest] @ _centres(vectors[inside], codes.astype(np.int64)).T
    return np.where(likeness.max(axis=1) > 0, names[likeness.argmax(axis=1)], -1)


def _by_size(of: Ints) -> tuple[Ints, int]:
    """Codes renumbered, the largest cluster first, else by first appearance."""
    inside: Bools = of >= 0
    codes, first, counts = np.unique(of[inside], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    new = np.empty(codes.size, dtype=np.int64)
    new[order] = np.arange(codes.size)
    out = np.full(of.size, -1, dtype=np.int64)
    out[inside] = new[np.searchsorted(codes, of[inside])]
    return out, int(codes.size)

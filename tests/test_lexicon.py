"""The lexicon reward against the Python package vaderSentiment 3.3.2, and the case tables against Python's own str."""
import functools
import importlib.util
import operator
import os
import pathlib
import random
import subprocess
import unicodedata

import pytest

BUILD = pathlib.Path(os.environ.get("MIGHTNT", "build/mightnt")).resolve().parent
DRIVER = BUILD / "tests" / "drive_lexicon"


def cache():
    if os.environ.get("MIGHTNT_CACHE"):
        return pathlib.Path(os.environ["MIGHTNT_CACHE"])
    if os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "mightnt"
    return pathlib.Path.home() / ".cache" / "mightnt"


LEXICON = cache() / "lexicon"
WORDS = LEXICON / "vader_lexicon.txt"
EMOJI = LEXICON / "emoji_utf8_lexicon.txt"


@pytest.fixture(scope="module")
def package():
    spec = importlib.util.spec_from_file_location("vaderSentiment", LEXICON / "vaderSentiment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.sum = lambda numbers: functools.reduce(operator.add, numbers, 0)  # as sum was before Python 3.12 made it more exact
    return module


@pytest.fixture(scope="module")
def peer(package):
    return package.SentimentIntensityAnalyzer()


def ours(texts, words=WORDS, emoji=EMOJI):
    """Rows [compound, positive, neutral, negative] for texts in bytes."""
    run = subprocess.run([DRIVER, words, emoji], input=b"".join(t + b"\0" for t in texts), capture_output=True, check=True)
    rows = [[float(x) for x in line.split()] for line in run.stdout.splitlines()]
    assert len(rows) == len(texts)
    return rows


def decoded(text):
    """Each bad byte is U+FFFD: surrogateescape keeps them one by one."""
    return "".join("\ufffd" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text.decode("utf-8", "surrogateescape"))


def assert_equal(peer, texts, words=WORDS, emoji=EMOJI):
    for text, row in zip(texts, ours(texts, words, emoji)):
        s = peer.polarity_scores(decoded(text))
        assert row == [s["compound"], s["pos"], s["neu"], s["neg"]], text


# ---- made-up lines ----

NEUTRAL = ("the a of this that table teacher student lesson 7 x2 went Monday and or nor, but also it is was such idea after "
           "all").split()
MODIFIERS = ["at least", "the very least", "least", "never so", "never this", "never", "so", "this", "without a doubt",
             "without doubt", "without any doubt", "no", "No", "no one or", "not", "isn't", "ISN'T", "can't've", "isn\u2019t",
             "kind of", "sort of", "just enough", "kind", "of", "sort-of", "kindof", "but", "BUT", "But,", "not a", "nor",
             "or", "hardly", "very", "uh-uh"]
IDIOMS = ["the shit", "the bomb", "bad ass", "badass", "bus stop", "yeah right", "kiss of death", "to die for", "beating heart",
          "upper hand", "cut the mustard", "Yeah, right", "THE BOMB", "break a leg"]
EMOTICONS = [":)", ":(", ":D", ";-)", ":'(", "<3", "XD", "x-p", ":-Þ", "%-)", "(:", "o.O", "...", "!?", "!!", "???", "--",
             "'", "&"]
LETTERS = ["ÉTÉ", "été", "Straße", "STRASSE", "ΟΔΟΣ", "οδός", "İSTANBUL", "ǅ", "ǅUNGLA", "日本語", "МИР", "мир", "𝐁𝐎𝐋𝐃", "Ⅻ",
           "ﬀ", "ªº", "Ⓐ", "\ufeffgood", "go\u00adod", "good\u0301", "GOOD\u0301", "\u212aind", "K\u0131nd", "ſo", "١٢",
           "„gut“", "¡bien!", "great…"]
SPACES = ["\u00a0", "\u2003", "\u3000", "\u1680", "\x1c", "\x1f", "\x85", "\u2028", "\n", "\t", "\r\n", "\x0b", "  ",
          "\u200b", "\u180e"]
BAD_BYTES = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xfe good",
             b"good\x80"]


def change_case(rng, word):
    return rng.choice([str, str, str, str, str.upper, str.upper, str.capitalize, str.swapcase, str.title])(word)


def punctuate(rng, word):
    if rng.random() < .7:
        return word
    mark = rng.choice(["!", "!!", "!!!!!!", "?", "??", "????", ".", ",", ";", ":", ")", "\"", "'", "*", "…", "-", "!?"])
    return rng.choice([word + mark, word + mark, mark + word, mark + word + mark])


def some_word(rng, package, peer, lexicon, emoji):
    kind = rng.random()
    if kind < .27:
        return rng.choice(lexicon)
    if kind < .40:
        return rng.choice(list(package.BOOSTER_DICT))
    if kind < .48:
        return rng.choice(package.NEGATE)
    if kind < .63:
        return rng.choice(MODIFIERS)
    if kind < .70:
        return rng.choice(IDIOMS)
    if kind < .75:
        return rng.choice(EMOTICONS)
    if kind < .80:
        return rng.choice(LETTERS)
    if kind < .84:
        return rng.choice(emoji) * rng.choice([1, 1, 2]) + rng.choice(["", "", "good", " ", "!"])
    return rng.choice(NEUTRAL)


def lines(package, peer, n, seed):
    rng = random.Random(seed)
    lexicon, emoji = list(peer.lexicon), list(peer.emojis)
    for _ in range(n):
        out = b""
        for i in range(rng.choice([1, 2, 3, 4, 5, 6, 8, 12, 20, 40])):
            if i:
                out += (rng.choice(SPACES) if rng.random() < .05 else " " if rng.random() < .98 else "").encode()
            out += punctuate(rng, change_case(rng, some_word(rng, package, peer, lexicon, emoji))).encode()
            if rng.random() < .01:
                out += rng.choice(BAD_BYTES)
        yield out.replace(b"\0", b"")


def test_equals_the_package_on_made_up_lines(package, peer):
    texts = list(lines(package, peer, 6000, seed=20241006))
    assert len({t for t in texts}) > 5900
    assert_equal(peer, texts)


def test_equals_the_package_on_every_word_alone_and_modified(package, peer):
    frames = ["not {}!", "A VERY {}?", "never so {} but {}", "least {}", "it was no {} or {} at all"]
    assert_equal(peer, [w.encode() for w in peer.lexicon])
    assert_equal(peer, [frames[i % 5].replace("{}", w).encode() for i, w in enumerate(peer.lexicon)])


def test_equals_the_package_on_every_emoji(peer):
    assert_equal(peer, [("so" + e + "good " + e).encode() for e in peer.emojis])


def test_equals_the_package_on_whole_pages(package, peer):
    texts = list(lines(package, peer, 400, seed=7))
    assert_equal(peer, [b" ".join(texts[i:i + 100]) for i in range(0, 400, 100)])


@pytest.mark.parametrize("text", [
    "", " ", "\u3000", ".", "!", "but", "but but good but bad", "VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!",
    "At least it isn't a horrible book.", "The plot was good, but the characters are uncompelling and the dialog is not great.",
    "Roger Dodger is at the very least compelling.", "Sentiment analysis has never been this good!", 
    "Without a doubt, excellent idea.", "catch 💘 and 💋 and😁", "no no no good no", "kind OF good",
    "the beating heart of the kiss of death to die for"])
def test_equals_the_package_on(peer, text):
    assert_equal(peer, [text.encode()])


# ---- other lexicons ----

def test_other_lexicons_with_other_letters(tmp_path, package):
    words, emoji = tmp_path / "words.txt", tmp_path / "emoji.txt"
    words.write_text("schön\t2.5\textra\r\nübel\t-2\nκαλός\t1.5\nдобрый\t3\ni̇yi\t2\nno\t-1\n\nkötü\t-1\nkötü\t-2.25\n"
                     "kind\t1e0\nleast\t-1\nvery\t2\n", "utf-8")
    emoji.write_text("#\tübel sign\n😀\tschön\n👍🏽\tkötü\n\x07\tschön bell\n", "utf-8")
    peer = package.SentimentIntensityAnalyzer(str(words), str(emoji))
    texts = ["sehr SCHÖN", "SCHÖN und very schön", "ÜBEL!", "ΚΑΛΌΣ", "добрый ДОБРЫЙ", "İYİ", "iyi", "KÖTÜ but schön", "a#b",
             "#", "😀👍🏽😀", "kind of", "not so kind schön", "no schön", "K\u0131nd \u212aind", "least kind", "the least schön",
             "very kind", "VERY kind very", "schön \x07", "schön\x07 #\x07"]
    assert_equal(peer, [t.encode() for t in texts], words, emoji)
    assert ours(["😀".encode()], words, "")[0] == [0, 0, 1, 0]


@pytest.mark.parametrize("content, message", [
    (b"good\t1\nbad -2\n", ":2:1: expected two fields with a tab between"),
    (b"good\tnan\n", ':1:6: expected a mean valence, a number within -100..100, got "nan"'),
    (b"\ngood\t1e3\n", ':2:6: expected a mean valence, a number within -100..100, got "1e3"'),
    (b"good\t0x1\n", ':1:6: expected a mean valence, a number within -100..100, got "0x1"'),
    (b"good\t\t1\n", ':1:6: expected a mean valence, a number within -100..100, got ""'),
    (b"ok\t1\ng\xf6d\t1\n", ":2:2: expected UTF-8, got the byte 0xf6"),
    (b"\x1f\x8b\0", ":1:3: expected text, got a NUL byte (a compressed or binary file?)"),
])
def test_bad_lexicons_are_refused_with_their_line(tmp_path, content, message):
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    run = subprocess.run([DRIVER, path, ""], input=b"", capture_output=True)
    assert (run.returncode, run.stdout, run.stderr.decode()) == (3, b"", f"{path}{message}\n")


def test_a_missing_lexicon_is_named(tmp_path):
    run = subprocess.run([DRIVER, tmp_path / "none", ""], input=b"", capture_output=True)
    assert run.returncode == 4
    assert run.stderr.decode() == f"{tmp_path}/none: cannot be opened: No such file or directory\n"


# ---- letters ----

# Cased letters that later versions of Unicode than 14 added.
NEWER = [(0x1C89, 0x1C8A), (0xA7CB, 0xA7DC), (0xA7F1, 0xA7F1), (0x10D50, 0x10D85), (0x10EC2, 0x10EFF), (0x16EA0, 0x16ED3),
         (0x1DF25, 0x1DF2A), (0x1E030, 0x1E06D)]


def test_case_and_space_are_those_of_str():
    assert int(unicodedata.unidata_version.split(".")[0]) >= 14
    out = subprocess.run([DRIVER], capture_output=True, check=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    assert len(rows) == 0x110000 - 0x800
    for code, kind, space, lower in rows:
        c = chr(int(code, 16))
        if any(a <= ord(c) <= b for a, b in NEWER):
            continue
        assert int(kind) == (2 if c.isupper() else 1 if c.islower() or c.istitle() else 0), code
        assert bool(int(space)) == c.isspace(), code
        assert bytes.fromhex(lower).decode() == ("σ" if c == "ς" else c.lower()), code

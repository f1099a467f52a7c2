// Entries and child playlists: R0, R1 and R5, and where a dead segment's successor is looked for.

#include <unistd.h>

#include "rebind_fixture.h"

#include "tap_main.h"

namespace {

using std::string;

const char *const kOld = "https://a.example/t1/master.m3u8?t=1";
const char *const kNew = "https://b.example/t2/main.m3u8?t=2";

string variant(const string &resolution, int bandwidth, const string &uri, const string &more = "") {
  return "#EXT-X-STREAM-INF:BANDWIDTH=" + std::to_string(bandwidth) +
         (resolution.empty() ? "" : ",RESOLUTION=" + resolution) + more + "\n" + uri + "\n";
}

string audio(const string &name, const string &language, const string &uri, const string &more = "") {
  return "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"" + name + "\",LANGUAGE=\"" + language + "\"" + more +
         ",URI=\"" + uri + "\"\n";
}

struct Case {
  string old_rows, fresh_rows;
  string old_base = kOld, fresh_base = kNew;
  string old_provider = "p", fresh_provider = "p";
  bool known = true;
};

string rebind(const Case &c, const string &uri) {
  hls::PlaylistIndex before = fixture::remembered(c.old_base, "#EXTM3U\n" + c.old_rows);
  hls::PlaylistIndex after = fixture::index(c.fresh_base, "#EXTM3U\n" + c.fresh_rows);
  if (!fixture::read_error.empty()) return "error: " + fixture::read_error;
  hls::OldGeneration old{c.old_provider, hls::mark_of(fixture::url(c.old_base)), &before, {}};
  hls::Url entry = fixture::url(c.fresh_base);
  hls::DeadUrl dead(fixture::resolve(c.old_base, uri), std::nullopt);
  return fixture::show(hls::rebind_playlist(dead, c.known ? &old : nullptr, {c.fresh_provider, &entry,
                                                                             &after}));
}

void check_entry() {
  Case c{variant("1x1", 1, "v.m3u8"), variant("1x1", 1, "w.m3u8")};
  tap::equal("all rotates", rebind(c, kOld), string("entry ") + kNew);
  tap::equal("a token older still", rebind(c, "master.m3u8?t=0"), string("entry ") + kNew);
  c.fresh_provider = "q";
  tap::equal("R0: another provider", rebind(c, kOld), string("entry ") + kNew);
  tap::equal("R0: a child", rebind(c, "v.m3u8"), "other_provider");
  c.known = false;
  tap::equal("not remembered", rebind(c, kOld), "not_remembered");
  c.fresh_base = "https://b.example/t1/master.m3u8?t=2";
  tap::equal("not remembered, the same path", rebind(c, kOld),
             "same_path https://b.example/t1/master.m3u8?t=2");

  // One script for all playlists.
  Case script{variant("1x1", 1, "?v=1"), variant("1x1", 1, "?v=2")};
  script.fresh_base = "https://b.example/t1/master.m3u8?t=2";
  tap::equal("the entry's path is a child's, too", rebind(script, "?v=1"), "ambiguous");
  tap::equal("the entry byte for byte", rebind(script, kOld), "entry https://b.example/t1/master.m3u8?t=2");
}

void check_r1() {
  Case c{variant("1280x720", 2000, "/v/hi.m3u8?t=1") + variant("640x360", 900, "/v/lo.m3u8?t=1"),
         variant("1280x720", 2100, "/v/hi.m3u8?t=2") + variant("640x360", 950, "/v/lo.m3u8?t=2")};
  for (bool known : {true, false}) {
    c.known = known;
    tap::equal("token and host", rebind(c, "/v/lo.m3u8?t=1"), "same_path https://b.example/v/lo.m3u8?t=2");
  }
  c.fresh_rows = variant("640x360", 900, "/v/lo.m3u8?t=2") + variant("1280x720", 2000, "/v/hi.m3u8?t=2");
  c.known = true;
  tap::equal("reordered, the names keep their meaning", rebind(c, "/v/lo.m3u8?t=1"),
             "same_path https://b.example/v/lo.m3u8?t=2");
  c.fresh_rows = variant("640x360", 900, "/v/hi.m3u8?t=2") + variant("1280x720", 2000, "/v/lo.m3u8?t=2");
  tap::equal("reordered, the names do not", rebind(c, "/v/lo.m3u8?t=1"), "moved");
  c.fresh_rows = variant("640x360", 900, "/v/lo.m3u8?a=1") + variant("1280x720", 2000, "/v/lo.m3u8?a=2");
  c.known = false;
  tap::equal("twice the path", rebind(c, "/v/lo.m3u8?t=1"), "ambiguous");
  tap::equal("no such path", rebind(c, "/v/hi.m3u8?t=1"), "not_remembered");
}

// Where nothing is remembered, arguments that select what is shown must not differ.
void check_selection() {
  Case c{"", variant("", 1000, "/v/x.m3u8?q=720&t=2")};
  c.known = false;
  tap::equal("the same", rebind(c, "/v/x.m3u8?q=720&t=1"), "same_path https://b.example/v/x.m3u8?q=720&t=2");
  tap::equal("another", rebind(c, "/v/x.m3u8?q=1080&t=1"), "not_remembered");
  tap::equal("none", rebind(c, "/v/x.m3u8?t=1"), "not_remembered");

  Case entry{"", variant("", 1000, "w.m3u8")};
  entry.known = false;
  entry.old_base = "https://a.example/e.m3u8?lang=en&t=1";
  entry.fresh_base = "https://b.example/e.m3u8?lang=en&t=2";
  tap::equal("an entry, the same", rebind(entry, entry.old_base),
             "same_path https://b.example/e.m3u8?lang=en&t=2");
  entry.fresh_base = "https://b.example/e.m3u8?lang=de&t=2";
  tap::equal("an entry, another", rebind(entry, entry.old_base), "not_remembered");
  entry.known = true;
  tap::equal("an entry, remembered", rebind(entry, entry.old_base),
             "entry https://b.example/e.m3u8?lang=de&t=2");
}

void check_variants() {
  const string hi = variant("1280x720", 2000, "hi.m3u8"), lo = variant("640x360", 900, "lo.m3u8");
  const string new_hi = variant("1280x720", 2050, "0.m3u8"), new_lo = variant("640x360", 880, "1.m3u8");
  const string found_lo = "same_rendition https://b.example/t2/1.m3u8";
  tap::equal("all names rotate", rebind({hi + lo, new_hi + new_lo}, "lo.m3u8"), found_lo);
  tap::equal("reordered", rebind({hi + lo, new_lo + new_hi}, "lo.m3u8"), found_lo);
  tap::equal("another removed", rebind({hi + lo, new_lo}, "lo.m3u8"), found_lo);
  tap::equal("another added", rebind({hi + lo, new_hi + variant("1x1", 900, "2.m3u8") + new_lo}, "lo.m3u8"),
             found_lo);
  tap::equal("it is removed", rebind({hi + lo, new_hi}, "lo.m3u8"), "no_rendition");
  tap::equal("one like it added", rebind({hi + lo, new_hi + new_lo + variant("640x360", 300, "2.m3u8")},
                                         "lo.m3u8"),
             "ambiguous_rendition");
  for (const char *attribute : {"CODECS=\"avc1,mp4a\"", "FRAME-RATE=60", "VIDEO-RANGE=PQ", "AUDIO=\"x\"",
                                "VIDEO=\"x\"", "SUBTITLES=\"x\"", "CLOSED-CAPTIONS=\"x\"",
                                "STABLE-VARIANT-ID=\"x\"", "PATHWAY-ID=\"x\""}) {
    string other = variant("640x360", 900, "1.m3u8", string(",") + attribute);
    tap::equal(string("differs in ") + attribute, rebind({hi + lo, new_hi + other}, "lo.m3u8"),
               "no_rendition");
    string old = variant("640x360", 900, "lo.m3u8", string(",") + attribute);
    tap::equal(string("tells apart: ") + attribute, rebind({hi + lo + variant("640x360", 901, "lo2.m3u8",
               string(",") + attribute), new_lo + other}, "lo2.m3u8"), found_lo);
    tap::equal(string("agrees in ") + attribute, rebind({hi + old, new_hi + other}, "lo.m3u8"), found_lo);
  }
  tap::equal("29.97 and 29.970", rebind({variant("1x1", 1, "lo.m3u8", ",FRAME-RATE=29.97"),
             variant("1x1", 1, "1.m3u8", ",FRAME-RATE=29.970")}, "lo.m3u8"), found_lo);
  tap::equal("an I-frame playlist", rebind({lo + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,"
             "URI=\"i.m3u8\"\n", new_hi + new_lo + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=8,RESOLUTION=640x360,"
             "URI=\"j.m3u8\"\n"}, "i.m3u8"), "same_rendition https://b.example/t2/j.m3u8");
  tap::equal("a media playlist now", rebind({hi + lo, "#EXTINF:1,\ns.ts\n#EXT-X-ENDLIST\n"}, "lo.m3u8"),
             "other_structure");
}

void check_ranks() {
  auto rows = [](int a, int b, int c, const string &prefix) {
    return variant("", a, prefix + "0.m3u8") + variant("", b, prefix + "1.m3u8") + variant("", c,
                                                                                           prefix + "2.m3u8");
  };
  const string old = rows(500, 1000, 2000, "v");
  tap::equal("the same bandwidths in another order", rebind({old, rows(2000, 500, 1000, "w")}, "v1.m3u8"),
             "same_rendition https://b.example/t2/w2.m3u8");
  tap::equal("measured anew", rebind({old, rows(510, 990, 2020, "w")}, "v1.m3u8"),
             "same_rendition https://b.example/t2/w1.m3u8");
  tap::equal("one added, one removed", rebind({old, rows(1000, 2000, 4000, "w")}, "v1.m3u8"),
             "ambiguous_rendition");
  tap::equal("one added", rebind({old, rows(500, 1000, 2000, "w") + variant("", 4000, "w3.m3u8")}, "v1.m3u8"),
             "ambiguous_rendition");
  tap::equal("one removed", rebind({old, variant("", 500, "w0.m3u8") + variant("", 1000, "w1.m3u8")},
                                   "v1.m3u8"),
             "ambiguous_rendition");
  tap::equal("equal bandwidths", rebind({rows(500, 500, 2000, "v"), rows(500, 500, 2000, "w")}, "v1.m3u8"),
             "ambiguous_rendition");
  Case same{variant("", 500, "/0.m3u8") + variant("", 900, "/1.m3u8"),
            variant("", 500, "/0.m3u8") + variant("", 900, "/1.m3u8") + variant("", 2000, "/2.m3u8")};
  tap::equal("one added, the same path and bandwidth", rebind(same, "/1.m3u8"),
             "same_path https://b.example/1.m3u8");
  same.fresh_rows = variant("", 300, "/0.m3u8") + variant("", 500, "/1.m3u8") + variant("", 900, "/2.m3u8");
  tap::equal("one added, the paths shifted", rebind(same, "/1.m3u8"), "ambiguous_rendition");
  same.fresh_rows = same.old_rows + same.old_rows;
  tap::equal("every row twice", rebind(same, "/1.m3u8"), "same_path https://b.example/1.m3u8");
}

string ladder(int rows, int more, const string &prefix) {
  string text;
  for (int i = 1; i <= rows; i++) text += variant("", 1000 * i + more, prefix + std::to_string(i) + ".m3u8");
  return text;
}

// Work that the author of a playlist chooses is bounded. What is not may take long here: an alarm ends it.
void check_bounds() {
  alarm(100);
  tap::equal("32 that differ in bandwidth", rebind({ladder(32, 0, "v"), ladder(32, 7, "w")}, "v5.m3u8"),
             "same_rendition https://b.example/t2/w5.m3u8");
  tap::equal("33", rebind({ladder(33, 0, "v"), ladder(33, 7, "w")}, "v5.m3u8"), "ambiguous_rendition");
  tap::equal("33, the same row", rebind({ladder(33, 0, "/v"), ladder(33, 0, "/v")}, "/v5.m3u8"),
             "same_path https://b.example/v5.m3u8");
  tap::equal("33 that differ in more", rebind({ladder(33, 0, "v") + variant("1x1", 5000, "x.m3u8"),
             ladder(33, 7, "w") + variant("1x1", 5000, "y.m3u8")}, "x.m3u8"),
             "same_rendition https://b.example/t2/y.m3u8");
  const Case many{ladder(4096, 0, "v"), ladder(4096, 7, "w")};
  for (const char *uri : {"v1.m3u8", "v32.m3u8", "v33.m3u8", "v4096.m3u8"}) {
    tap::equal(string("4096: ") + uri, rebind(many, uri), "ambiguous_rendition");
  }

  // One playlist in many rows that each have a successor.
  auto names = [](int rows, const string &uri) {
    string text;
    for (int i = 0; i < rows; i++) text += audio(std::to_string(i), "en", uri);
    return text;
  };
  tap::equal("in 32 rows", rebind({names(32, "v.m3u8"), names(32, "w.m3u8")}, "v.m3u8"),
             "same_rendition https://b.example/t2/w.m3u8");
  tap::equal("in 33", rebind({names(33, "v.m3u8"), names(33, "w.m3u8")}, "v.m3u8"), "ambiguous_rendition");
  tap::equal("in 4096", rebind({names(4096, "v.m3u8"), names(4096, "w.m3u8")}, "v.m3u8"),
             "ambiguous_rendition");
  string same;
  for (int i = 0; i < 4096; i++) same += variant("", 500, "/v.m3u8");
  tap::equal("one row 4096 times", rebind({same, same}, "/v.m3u8"), "ambiguous_rendition");
  alarm(0);
}

void check_media() {
  const string old = audio("English", "en", "1.m3u8") + audio("Commentary", "en", "2.m3u8");
  const string fresh = audio("Commentary", "en", "x.m3u8") + audio("English", "en", "y.m3u8");
  tap::equal("they differ in NAME only", rebind({old, fresh}, "1.m3u8"),
             "same_rendition https://b.example/t2/y.m3u8");
  tap::equal("they differ in NAME only, the other", rebind({old, fresh}, "2.m3u8"),
             "same_rendition https://b.example/t2/x.m3u8");
  tap::equal("one of them is gone", rebind({old, audio("English", "en", "y.m3u8")}, "2.m3u8"),
             "no_rendition");
  tap::equal("NAME changed", rebind({old, audio("Kommentar", "en", "x.m3u8")}, "2.m3u8"), "no_rendition");
  tap::equal("LANGUAGE changed", rebind({old, audio("English", "de", "x.m3u8")}, "1.m3u8"), "no_rendition");
  tap::equal("CHANNELS changed", rebind({old, audio("English", "en", "x.m3u8", ",CHANNELS=\"6\"")}, "1.m3u8"),
             "no_rendition");
  string subtitles = audio("English", "en", "x.m3u8");
  subtitles.replace(subtitles.find("AUDIO"), 5, "SUBTITLES");
  tap::equal("TYPE changed", rebind({old, subtitles}, "1.m3u8"), "no_rendition");
  string group = audio("English", "en", "x.m3u8");
  group.replace(group.find("\"a\""), 3, "\"b\"");
  tap::equal("GROUP-ID changed", rebind({old, group}, "1.m3u8"), "no_rendition");
  tap::equal("two of one name", rebind({old, fresh + audio("English", "en", "z.m3u8")}, "1.m3u8"),
             "ambiguous_rendition");
  tap::equal("indices that shifted", rebind({audio("A", "en", "/1.m3u8") + audio("B", "en", "/2.m3u8"),
             audio("B", "en", "/1.m3u8") + audio("C", "en", "/2.m3u8")}, "/1.m3u8"), "no_rendition");
  // One playlist as a variant and as a rendition of it.
  tap::equal("one playlist in two rows", rebind({audio("E", "en", "1.m3u8") + variant("", 64, "1.m3u8"),
             audio("E", "en", "x.m3u8") + variant("", 64, "x.m3u8")}, "1.m3u8"),
             "same_rendition https://b.example/t2/x.m3u8");
  tap::equal("which are two now", rebind({audio("E", "en", "1.m3u8") + variant("", 64, "1.m3u8"),
             audio("E", "en", "x.m3u8") + variant("", 64, "y.m3u8")}, "1.m3u8"), "ambiguous_rendition");
}

/// "rule URL | which old one", or the refusal.
string parent(const Case &c, const std::vector<std::pair<string, string>> &media, const string &uri,
              std::optional<hls::Position> at) {
  hls::PlaylistIndex before = fixture::remembered(c.old_base, "#EXTM3U\n" + c.old_rows);
  hls::PlaylistIndex after = fixture::index(c.fresh_base, "#EXTM3U\n" + c.fresh_rows);
  std::vector<hls::PlaylistIndex> children;
  for (const auto &[base, text] : media) children.push_back(fixture::remembered(base, text));
  hls::OldGeneration old{c.old_provider, hls::mark_of(fixture::url(c.old_base)), &before, {}};
  for (const hls::PlaylistIndex &child : children) old.media.push_back(&child);
  hls::Url entry = fixture::url(c.fresh_base);
  hls::DeadUrl dead(fixture::url(uri), at);
  hls::FreshParent found = hls::find_fresh_parent(dead, c.known ? &old : nullptr, {c.fresh_provider, &entry,
                                                                                   &after});
  string shown = fixture::show(found.playlist);
  if (!found.old) return shown;
  if (found.old == &before) return shown + " | entry";
  return shown + " | " + std::to_string(found.old - children.data());
}

void check_parent() {
  const string hi = "https://a.example/t1/hi.m3u8", lo = "https://a.example/t1/lo.m3u8";
  const std::vector<std::pair<string, string>> media = {
      {hi, "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\n0.ts\n#EXTINF:1,\n1.ts\n"},
      {lo, "#EXTM3U\n#EXT-X-MAP:URI=\"lo.mp4\"\n#EXTINF:1,\n0.ts\n#EXTINF:1,\nlo1.ts\n"}};
  Case c{variant("1280x720", 2000, "hi.m3u8") + variant("640x360", 900, "lo.m3u8"),
         variant("1280x720", 2000, "0.m3u8") + variant("640x360", 900, "1.m3u8")};
  const hls::Position in_lo{hls::position_parent(fixture::url(lo)), 1, -1};
  const string first = "same_rendition https://b.example/t2/0.m3u8 | 0";
  const string second = "same_rendition https://b.example/t2/1.m3u8 | 1";
  tap::equal("by its position", parent(c, media, "https://a.example/t1/lo1.ts", in_lo), second);
  tap::equal("by an init section", parent(c, media, "https://a.example/t1/lo.mp4", std::nullopt), second);
  tap::equal("by a key", parent(c, media, "https://a.example/t1/k?t=9", std::nullopt), first);
  tap::equal("another URL at the position", parent(c, media, "https://a.example/t1/1.ts", in_lo),
             "not_remembered");
  tap::equal("known to none", parent(c, media, "https://a.example/t1/x.mp4", std::nullopt), "not_remembered");
  // Two versions of a live playlist: the newest that names the segment.
  const std::vector<std::pair<string, string>> versions = {
      {lo, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:1,\nlo1.ts\n#EXTINF:1,\nlo2.ts\n"},
      {lo, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nlo0.ts\n#EXTINF:1,\nlo1.ts\n"}};
  const string in_second = "same_rendition https://b.example/t2/1.m3u8 | ";
  tap::equal("in both versions", parent(c, versions, "https://a.example/t1/lo1.ts", in_lo), in_second + "0");
  tap::equal("in the older one", parent(c, versions, "https://a.example/t1/lo0.ts",
             hls::Position{in_lo.parent, 0, -1}), in_second + "1");
  c.fresh_provider = "q";
  tap::equal("R0", parent(c, media, "https://a.example/t1/lo1.ts", in_lo), "other_provider");
  c.fresh_provider = "p";
  c.fresh_rows = "#EXTINF:1,\n0.ts\n#EXT-X-ENDLIST\n";
  tap::equal("one media playlist now", parent(c, media, "https://a.example/t1/lo1.ts", in_lo),
             "other_structure");

  c.fresh_rows = variant("1280x720", 2000, "/t1/hi.m3u8?t=2") + variant("640x360", 900, "/t1/lo.m3u8?t=2");
  c.known = false;
  tap::equal("R1 alone, by the position", parent(c, {}, "https://a.example/t1/lo1.ts", in_lo),
             "same_path https://b.example/t1/lo.m3u8?t=2");
  tap::equal("R1 alone, no position", parent(c, {}, "https://a.example/t1/lo.mp4", std::nullopt),
             "not_remembered");

  Case single{"#EXTINF:1,\n0.ts\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST\n", "#EXTINF:1,\n0.ts\n#EXT-X-ENDLIST\n"};
  const hls::Position in_entry{hls::position_parent(fixture::url(kOld)), 1, -1};
  tap::equal("the entry itself", parent(single, {}, "https://a.example/t1/1.ts", in_entry),
             string("entry ") + kNew + " | entry");
  single.known = false;
  tap::equal("the entry itself, not remembered", parent(single, {}, "https://a.example/t1/1.ts", in_entry),
             string("entry ") + kNew);
  single.known = true;
  single.fresh_rows = c.fresh_rows;
  tap::equal("a multivariant playlist now", parent(single, {}, "https://a.example/t1/1.ts", in_entry),
             "other_structure");
}

/// "refusal or URL | which old one", one after the other.
string parents(const string &old_rows, const string &fresh_rows,
               const std::vector<std::pair<string, string>> &media,
               const string &uri, std::optional<hls::Position> at) {
  hls::PlaylistIndex before = fixture::remembered(kOld, "#EXTM3U\n" + old_rows);
  hls::PlaylistIndex after = fixture::index(kNew, "#EXTM3U\n" + fresh_rows);
  std::vector<hls::PlaylistIndex> children;
  for (const auto &[base, text] : media) children.push_back(fixture::remembered(base, "#EXTM3U\n" + text));
  hls::OldGeneration old{"p", hls::mark_of(fixture::url(kOld)), &before, {}};
  for (const hls::PlaylistIndex &child : children) old.media.push_back(&child);
  hls::Url entry = fixture::url(kNew);
  string shown;
  for (const hls::FreshParent &found : hls::find_fresh_parents({fixture::url(uri), at}, &old,
                                                               {"p", &entry, &after})) {
    shown += (shown.empty() ? "" : ", ") +
        (found.playlist ? found.playlist.url : fixture::show(found.playlist));
    if (found.old) shown += " | " + std::to_string(found.old - children.data());
  }
  return shown;
}

void check_parents() {
  const string rows = variant("1280x720", 2000, "hi.m3u8") + variant("640x360", 900, "lo.m3u8");
  const string fresh = variant("1280x720", 2000, "0.m3u8") + variant("640x360", 900, "1.m3u8");
  const string hi = "https://a.example/t1/hi.m3u8", lo = "https://a.example/t1/lo.m3u8";
  const string key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\n";
  const string first = "https://b.example/t2/0.m3u8 | ", second = "https://b.example/t2/1.m3u8 | ";
  tap::equal("a key of two", parents(rows, fresh, {{hi, key + "h0.ts\n"}, {lo, key + "l0.ts\n"}},
                                     "https://a.example/t1/k", std::nullopt), first + "0, " + second + "1");
  tap::equal("versions count once, the newest", parents(rows, fresh,
             {{lo, key + "l1.ts\n"}, {hi, key + "h1.ts\n"}, {lo, key + "l0.ts\n"}, {hi, key + "h0.ts\n"}},
             "https://a.example/t1/k", std::nullopt), second + "0, " + first + "1");
  tap::equal("the URL itself comes before its path", parents(rows, fresh,
             {{hi, "#EXT-X-MAP:URI=\"k?t=0\"\n#EXTINF:1,\nh0.ts\n"}, {lo, key + "l0.ts\n"}},
             "https://a.example/t1/k", std::nullopt), second + "1");
  tap::equal("one of them is gone", parents(rows, variant("1280x720", 2000, "0.m3u8"),
             {{hi, key + "h0.ts\n"}, {lo, key + "l0.ts\n"}}, "https://a.example/t1/k", std::nullopt),
             first + "0, no_rendition | 1");

  // Two playlists of one path: the position does not tell them apart.
  const string one = "https://a.example/t1/v.m3u8?q=1", two = "https://a.example/t1/v.m3u8?q=2";
  const string by_query = variant("1280x720", 2000, "v.m3u8?q=1") + variant("640x360", 900, "v.m3u8?q=2");
  const hls::Position at{hls::position_parent(fixture::url(one)), 0, -1};
  tap::equal("their segments do",
             parents(by_query, fresh, {{one, "#EXTINF:1,\ns?q=1\n"}, {two, "#EXTINF:1,\ns?q=2\n"}},
                                          "https://a.example/t1/s?q=2", at), second + "1");
  tap::equal("neither do their segments", parents(by_query, fresh,
             {{one, "#EXTINF:1,\ns.ts\n"}, {two, "#EXTINF:1,\ns.ts\n"}}, "https://a.example/t1/s.ts", at),
             "not_remembered");

  std::vector<std::pair<string, string>> many;
  string old_many, fresh_many, all;
  for (int i = 0; i < 17; i++) {
    string n = std::to_string(i), resolution = std::to_string(i + 1) + "x1";
    old_many += variant(resolution, 1, n + ".m3u8");
    fresh_many += variant(resolution, 1, "f" + n + ".m3u8");
    many.push_back({"https://a.example/t1/" + n + ".m3u8", key + n + ".ts\n"});
    all += (i ? ", https://b.example/t2/f" : "https://b.example/t2/f") + n + ".m3u8 | " + n;
    if (i == 15) {
      tap::equal("a key of 16", parents(old_many, fresh_many, many, "https://a.example/t1/k", std::nullopt),
                 all);
    }
  }
  tap::equal("a key of 17", parents(old_many, fresh_many, many, "https://a.example/t1/k", std::nullopt),
             "ambiguous");
}

// A playlist that was found behind a redirect: its links name where it was found.
void check_redirected() {
  hls::PlaylistIndex before = fixture::remembered(kOld, "#EXTM3U\n" + variant("1x1", 1, "v.m3u8"));
  hls::PlaylistIndex after = fixture::index(kNew, "#EXTM3U\n" + variant("1x1", 1, "w.m3u8"));
  hls::PlaylistIndex child;
  const hls::Url found_at = fixture::url("https://edge.example/x/y.m3u8");
  hls::index_playlist(fixture::resolve(kOld, "v.m3u8"), found_at, {}, "#EXTM3U\n#EXTINF:1,\n0.ts\n", child);
  hls::OldGeneration old{"p", hls::mark_of(fixture::url(kOld)), &before, {&child}};
  hls::Url entry = fixture::url(kNew);
  hls::DeadUrl dead(fixture::url("https://edge.example/x/0.ts"),
                    hls::Position{hls::position_parent(found_at), 0, -1});
  hls::FreshParent found = hls::find_fresh_parent(dead, &old, {"p", &entry, &after});
  tap::equal("a redirected child", fixture::show(found.playlist),
             "same_rendition https://b.example/t2/w.m3u8");
  tap::check(found.old == &child, "its old playlist");
}

#define TEST(name)               \
  void test_##name(void **) {    \
    check_##name();              \
    TAP_FINISH();                \
  }
TEST(entry)
TEST(r1)
TEST(selection)
TEST(variants)
TEST(ranks)
TEST(bounds)
TEST(media)
TEST(parent)
TEST(parents)
TEST(redirected)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_entry), cmocka_unit_test(test_r1), cmocka_unit_test(test_selection),
         cmocka_unit_test(test_variants), cmocka_unit_test(test_ranks), cmocka_unit_test(test_bounds),
         cmocka_unit_test(test_media), cmocka_unit_test(test_parent), cmocka_unit_test(test_parents),
         cmocka_unit_test(test_redirected))

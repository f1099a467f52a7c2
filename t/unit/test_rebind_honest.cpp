// What origins do that mean no harm: windows that restart, events that end, advertisements, keys and parts
// that come and go. A successor is the same thing, or there is none.

#include "rebind_fixture.h"

#include "tap_main.h"

namespace {

using fixture::Media;
using fixture::rebind;
using fixture::Segment;
using std::string;

const char *const kOld = "https://a.example/s1/v/index.m3u8?t=1";
const char *const kNew = "https://b.example/s2/v/index.m3u8?t=2";
const char *const kFound = "https://b.example/s2/v/";

string date(unsigned seconds, unsigned milliseconds = 0) {
  char text[80];
  std::snprintf(text, sizeof text, "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T%02u:%02u:%02u.%03uZ\n",
                seconds / 3600,
                seconds / 60 % 60, seconds % 60, milliseconds);
  return text;
}

/// Segments of six seconds with the numbers from `first` on, named after them.
Media window(const string &base, unsigned first, unsigned count, const string &prefix = "s") {
  Media m;
  m.base = base;
  m.sequence = first;
  m.ended = false;
  for (unsigned n = first; n < first + count; n++) {
    m.segments.push_back({prefix + std::to_string(n) + ".ts", "6", ""});
  }
  return m;
}

Media dated(Media m) {
  for (std::size_t i = 0; i < m.segments.size(); i++) {
    m.segments[i].tags += date(static_cast<unsigned>(m.sequence + i) * 6);
  }
  return m;
}

string at(const string &rule, const string &name) { return rule + " " + kFound + name; }

// A session whose segments are numbered from its own start.
void check_restart() {
  Media old = window(kOld, 0, 6), fresh = window(kNew, 0, 4);
  tap::equal("the fresh one ends before the old one did", rebind(old, fresh, "s2.ts", 2), "no_date");
  tap::equal("its key", [&] {
    Media a = old, b = fresh;
    a.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"a.key\"\n";
    b.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"a.key\"\n";
    return rebind(a, b, "a.key", std::nullopt);
  }(), "no_date");
  tap::equal("it ends where the old one did", rebind(old, window(kNew, 2, 4), "s2.ts", 2),
             at("same_name", "s2.ts"));

  Media then = dated(window(kOld, 0, 6)), now = window(kNew, 0, 4);
  for (unsigned i = 0; i < 4; i++) now.segments[i].tags = date(5000 + 6 * i);
  tap::equal("dates tell", rebind(then, now, "s2.ts", 2), "date");
  now.base = kOld;
  tap::equal("dates tell, by one path", rebind(then, now, "s2.ts", 2), "date");
  tap::equal("with dates a slower edge will do", rebind(then, dated(window(kNew, 0, 4, "r")), "s2.ts", 2),
             at("same_place", "r2.ts"));
  // File names that go round: of ten names each is there once, ten numbers later.
  Media round = window(kOld, 100, 4), next = window(kOld, 110, 4);
  for (unsigned i = 0; i < 4; i++) round.segments[i].uri = next.segments[i].uri = "s" + std::to_string(i) +
      ".ts";
  tap::equal("names that go round", rebind(round, next, "s2.ts", 102), "outside_window");
  tap::equal("names that go round, not remembered", rebind(round, next, "s2.ts", 102, false),
             "outside_window");
}

// A window without EXT-X-MEDIA-SEQUENCE: every version begins at 0.
void check_unnumbered() {
  auto unnumbered = [](const string &base, unsigned first, const string &prefix) {
    Media m = window(base, first, 4, prefix);
    m.sequence = 0;
    return m;
  };
  Media old = unnumbered(kOld, 100, "s");
  tap::equal("by its path", rebind(old, unnumbered(kOld, 102, "s"), "s103.ts", 3), "moved");
  tap::equal("by its path, not remembered", rebind(old, unnumbered(kOld, 102, "s"), "s103.ts", 3, false),
             "moved");
  tap::equal("by its name", rebind(old, unnumbered(kNew, 102, "s"), "s103.ts", 3), "moved");
  tap::equal("gone", rebind(old, unnumbered(kNew, 102, "s"), "s101.ts", 1), "no_date");
  tap::equal("by its place", rebind(old, unnumbered(kNew, 102, "r"), "s103.ts", 3), "no_date");
}

// An event that ends becomes VOD.
void check_event() {
  Media event = window(kOld, 0, 5), film = window(kNew, 0, 9);
  event.head = "#EXT-X-PLAYLIST-TYPE:EVENT\n";
  film.head = "#EXT-X-PLAYLIST-TYPE:VOD\n";
  film.ended = true;
  tap::equal("it goes on", rebind(event, film, "s3.ts", 3), at("same_name", "s3.ts"));
  Media renamed = window(kNew, 0, 9, "r");
  renamed.ended = true;
  tap::equal("names change", rebind(event, renamed, "s3.ts", 3), "no_date");
  tap::equal("names change, with dates", rebind(dated(event), dated(renamed), "s3.ts", 3),
             at("same_place", "r3.ts"));

  // Its beginning is cut off, and what is left is numbered anew.
  Media cut = window(kNew, 0, 6);
  cut.ended = true;
  for (unsigned i = 0; i < 6; i++) cut.segments[i].uri = "s" + std::to_string(i + 2) + ".ts";
  tap::equal("cut", rebind(event, cut, "s3.ts", 3), "moved");
  cut.base = kOld;
  tap::equal("cut, by one path", rebind(event, cut, "s3.ts", 3), "moved");
  tap::equal("cut, not remembered", rebind(event, cut, "s3.ts", 3, false), "moved");
  tap::equal("the reverse", rebind(film, event, "s3.ts", 3), "fingerprint");
}

// Two renditions that agree in all but their URLs; the fixture is given the wrong one of them.
void check_twins() {
  Media video = window(kOld, 0, 5), audio = window("https://a.example/s1/a/index.m3u8", 0, 5);
  video.ended = audio.ended = true;
  tap::equal("one path each", rebind(video, audio, "s3.ts", 3, false), "not_remembered");
  for (unsigned i = 0; i < 5; i++) {
    video.segments[i].uri = "/get?track=v&n=" + std::to_string(i) + "&t=1";
    audio.segments[i].uri = "/get?track=a&n=" + std::to_string(i) + "&t=2";
  }
  tap::equal("one path for all", rebind(video, audio, "/get?track=v&n=3&t=1", 3, false), "ambiguous");
  video.segments.resize(1);
  audio.segments.resize(1);
  tap::equal("one segment", rebind(video, audio, "/get?track=v&n=0&t=1", 0, false), "not_remembered");
}

// Advertisements that the origin puts in for each session.
void check_advertisements() {
  auto spliced = [](const string &base, const string &break_path, const string &content = "s") {
    Media m = window(base, 100, 6, content);
    m.segments[2] = {break_path + "/1.ts", "6", "#EXT-X-DISCONTINUITY\n"};
    m.segments[3] = {break_path + "/2.ts", "6", ""};
    m.segments[4].tags = "#EXT-X-DISCONTINUITY\n";
    m.head = "#EXT-X-DISCONTINUITY-SEQUENCE:7\n";
    return m;
  };
  Media old = spliced(kOld, "/ads/soap"), fresh = spliced(kOld, "/ads/car");
  fresh.base = "https://b.example/s1/v/index.m3u8?t=2";
  tap::equal("the film", rebind(old, fresh, "s101.ts", 101), "same_path https://b.example/s1/v/s101.ts");
  tap::equal("another advertisement", rebind(old, fresh, "/ads/soap/1.ts", 102), "moved");
  tap::equal("another advertisement, dated", rebind(dated(old), dated(fresh), "/ads/soap/1.ts", 102),
             "moved");
  tap::equal("another advertisement, not remembered", rebind(old, fresh, "/ads/soap/1.ts", 102, false),
             "not_remembered");
  old.ended = fresh.ended = true;
  tap::equal("another advertisement, VOD", rebind(old, fresh, "/ads/soap/1.ts", 102), "moved");
  tap::equal("all directories rotate", rebind(spliced(kOld, "x"), spliced(kNew, "y"), "x/2.ts", 103),
             at("same_name", "y/2.ts"));
  // The film's directory rotates, the advertisements are files that stay.
  tap::equal("advertisements that stay", rebind(spliced(kOld, "/ads"), spliced(kNew, "/ads"), "s101.ts", 101),
             at("same_name", "s101.ts"));
  // A break of another length, or none.
  Media plain = window(kNew, 100, 6);
  tap::equal("no break", rebind(spliced(kOld, "x"), plain, "s101.ts", 101), "discontinuity");
  Media shorter = spliced(kNew, "x");
  shorter.segments[3].duration = "5";
  tap::equal("a shorter break", rebind(spliced(kOld, "x"), shorter, "s101.ts", 101), "duration");
  Media slate = window(kNew, 100, 4);
  for (int i : {1, 2, 3}) slate.segments[i].uri = "/slate.ts?t=2";
  Media old_slate = slate;
  old_slate.base = kOld;
  for (int i : {1, 2, 3}) old_slate.segments[i].uri = "/slate.ts?t=1";
  tap::equal("a slate that comes again", rebind(old_slate, slate, "/slate.ts?t=1", 102),
             "same_path https://b.example/slate.ts?t=2");
  slate.segments[2].uri = "film.ts";
  tap::equal("a slate that is over", rebind(old_slate, slate, "/slate.ts?t=1", 102), "moved");
}

// Keys that change while it goes on.
void check_keys() {
  auto keyed = [](const string &base, unsigned first, const string &query, const string &name) {
    Media m = window(base, first, 6);
    for (unsigned i = 0; i < 6; i++) {
      unsigned n = (first + i) / 3;   // one key for three segments
      if (i == 0 || (first + i) % 3 == 0) {
        m.segments[i].tags = "#EXT-X-KEY:METHOD=AES-128,URI=\"" + name + std::to_string(n) + query + "\"\n";
      }
    }
    return m;
  };
  Media old = keyed(kOld, 99, "?t=1", "k"), fresh = keyed(kNew, 102, "?t=2", "k");
  tap::equal("a key that both have", rebind(old, fresh, "k34?t=1", std::nullopt), at("same_name", "k34?t=2"));
  tap::equal("a key of the past", rebind(old, fresh, "k33?t=1", std::nullopt), "outside_window");
  tap::equal("a key of which nothing is known", rebind(old, fresh, "k35?t=1", std::nullopt),
             "not_remembered");
  Media dated_old = dated(keyed(kOld, 99, "", "k")), dated_fresh = dated(keyed(kNew, 102, "", "x"));
  tap::equal("names change, with dates", rebind(dated_old, dated_fresh, "k34", std::nullopt),
             at("same_place", "x34"));
  Media shifted = dated(window(kNew, 102, 6, "x"));
  shifted.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"x34\"\n";
  shifted.segments[4].tags += "#EXT-X-KEY:METHOD=AES-128,URI=\"x35\"\n";
  tap::equal("a key that ends later", rebind(dated(keyed(kOld, 99, "", "k")), shifted, "k34", std::nullopt),
             at("same_place", "x34"));
  Media longer = dated(keyed(kOld, 102, "", "k"));
  tap::equal("a key that ends later, at a segment that both have",
             rebind(longer, shifted, "k35", std::nullopt),
             "ambiguous");

  // One script gives out all keys; the dead one is of a version that was not taken.
  auto by_query = [&](const string &base, const string &id, const string &token) {
    Media m = window(base, 100, 4);
    m.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"/key?id=" + id + "&t=" + token + "\"\n";
    return m;
  };
  Media five = by_query(kOld, "5", "1"), five_fresh = by_query(kNew, "5", "2");
  tap::equal("the key itself", rebind(five, five_fresh, "/key?id=5&t=1", std::nullopt),
             "same_path https://b.example/key?id=5&t=2");
  tap::equal("the key itself, an older token", rebind(five, five_fresh, "/key?id=5&t=0", std::nullopt),
             "same_path https://b.example/key?id=5&t=2");
  tap::equal("the key before", rebind(five, five_fresh, "/key?id=4&t=1", std::nullopt), "not_remembered");
  five.ended = five_fresh.ended = true;
  tap::equal("another key, VOD", rebind(five, five_fresh, "/key?id=4&t=1", std::nullopt), "not_remembered");
  // And init sections.
  Media sections = window(kOld, 100, 4), sections_fresh = window(kNew, 100, 4);
  sections.head = "#EXT-X-MAP:URI=\"/init?q=1080&t=1\"\n";
  sections_fresh.head = "#EXT-X-MAP:URI=\"/init?q=1080&t=2\"\n";
  tap::equal("another init section", rebind(sections, sections_fresh, "/init?q=720&t=1", std::nullopt),
             "not_remembered");
}

void check_gaps() {
  Media old = window(kOld, 100, 4), fresh = window(kOld, 101, 4);
  old.segments[2].tags = "#EXT-X-GAP\n";
  tap::equal("a gap that is filled", rebind(old, fresh, "s102.ts", 102),
             "same_path https://a.example/s1/v/s102.ts");
  fresh.segments[1].tags = "#EXT-X-GAP\n";
  tap::equal("a gap still", rebind(old, fresh, "s102.ts", 102), "gap");
  Media parts = window(kOld, 100, 2);
  parts.segments[1].tags = "#EXT-X-PART:DURATION=3,URI=\"p0\"\n#EXT-X-PART:DURATION=3,URI=\"p1\"\n";
  Media lost = parts;
  lost.segments[1].tags = "#EXT-X-PART:DURATION=3,URI=\"p0\"\n#EXT-X-PART:DURATION=3,URI=\"p1\",GAP=YES\n";
  tap::equal("a part that is lost", rebind(parts, lost, "p1", 101, true, 1), "gap");
  tap::equal("a part that is lost, not remembered", rebind(parts, lost, "p1", 101, false, 1), "gap");
  tap::equal("a part that is not", rebind(parts, lost, "p0", 101, true, 0),
             "same_path https://a.example/s1/v/p0");
}

// One growing file, of which the segments are ranges.
void check_growing_file() {
  auto growing = [](const string &base, unsigned first, const string &file, unsigned size) {
    Media m = window(base, first, 4);
    for (unsigned i = 0; i < 4; i++) {
      m.segments[i].uri = file;
      m.segments[i].tags = "#EXT-X-BYTERANGE:" + std::to_string(size) + "@" +
          std::to_string((first + i) * size) + "\n";
    }
    return m;
  };
  Media old = growing(kOld, 10, "h.mp4?t=1", 1000);
  tap::equal("it grows", rebind(old, growing(kNew, 12, "h.mp4?t=2", 1000), "h.mp4?t=1", std::nullopt),
             at("same_name", "h.mp4?t=2"));
  tap::equal("all of it is new", rebind(old, growing(kNew, 14, "h.mp4", 1000), "h.mp4?t=1", std::nullopt),
             "outside_window");
  tap::equal("encoded anew", rebind(old, growing(kNew, 12, "h.mp4", 1001), "h.mp4?t=1", std::nullopt),
             "byte_range");
  Media next = growing(kNew, 12, "h.mp4", 1000);
  next.segments[1].uri = "i.mp4";
  tap::equal("the next file begins", rebind(old, next, "h.mp4?t=1", std::nullopt), "ambiguous");
  tap::equal("a segment that has a file of its own now",
             rebind(old, window(kNew, 12, 4), "h.mp4?t=1", std::nullopt),
             "byte_range");
  tap::equal("live, not remembered",
             rebind(old, growing(kOld, 12, "h.mp4?t=2", 1000), "h.mp4?t=1", std::nullopt, false),
             "not_remembered");
}

// Parts come, and go when their segment is whole for a while.
void check_parts() {
  auto parted = [](const string &base, const string &prefix, unsigned from, unsigned to) {
    Media m = window(base, 100, 2, prefix);
    m.segments[0].tags = date(0);
    for (unsigned i = from; i < to; i++) {
      m.segments[1].tags += "#EXT-X-PART:DURATION=2,URI=\"" + prefix + "101." + std::to_string(i) + ".ts\"\n";
    }
    return m;
  };
  Media old = parted(kOld, "s", 0, 3);
  tap::equal("names change", rebind(old, parted(kNew, "r", 0, 3), "s101.1.ts", 101, true, 1),
             at("same_place", "r101.1.ts"));
  tap::equal("a whole segment is no part", rebind(old, parted(kNew, "r", 0, 0), "s101.1.ts", 101, true, 1),
             "outside_window");
  tap::equal("the whole one has no parts any more", rebind(old, parted(kNew, "r", 0, 0), "s101.ts", 101),
             at("same_place", "r101.ts"));
  tap::equal("the first part has gone, by its path",
             rebind(old, parted(kOld, "s", 1, 3), "s101.1.ts", 101, true, 1),
             "moved");
  tap::equal("the first part has gone, by its name",
             rebind(old, parted(kNew, "s", 1, 3), "s101.1.ts", 101, true, 1),
             "moved");
  // Parts that are left are counted from their first one on, which is another now.
  string gone = rebind(old, parted(kNew, "r", 1, 3), "s101.1.ts", 101, true, 1);
  tap::check(gone.find("https") == gone.npos, "the first part has gone, names change: " + gone);

  Media open = window(kOld, 100, 1), whole = parted(kNew, "r", 0, 3);
  open.segments[0].tags = date(0);
  open.tail = "#EXT-X-PART:DURATION=2,URI=\"s101.0.ts\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s101.1.ts\"\n";
  tap::equal("its segment is whole now", rebind(open, whole, "s101.0.ts", 101, true, 0),
             at("same_place", "r101.0.ts"));
  tap::equal("a hint has come true under another name", rebind(open, whole, "s101.1.ts", 101, true, 1),
             "not_remembered");
  whole = parted(kOld, "s", 0, 3);
  tap::equal("a hint has come true", rebind(open, whole, "s101.1.ts", 101, true, 1),
             "same_path https://a.example/s1/v/s101.1.ts");
  tap::equal("a part and the whole of one path", [&] {
    Media all = whole;
    all.segments[1].uri = "s101.1.ts";
    return rebind(open, all, "s101.1.ts", 101, true, 1);
  }(), "same_path https://a.example/s1/v/s101.1.ts");
}

// Clocks: of two encoders, or of one that is set right.
void check_drift() {
  Media old = dated(window(kOld, 100, 4)), fresh = dated(window(kNew, 100, 4, "r"));
  tap::equal("one clock", rebind(old, fresh, "s102.ts", 102), at("same_place", "r102.ts"));
  for (unsigned milliseconds : {1u, 2u, 200u}) {
    for (unsigned i = 0; i < 4; i++) fresh.segments[i].tags = date((100 + i) * 6, milliseconds);
    tap::equal(std::to_string(milliseconds) + " ms apart", rebind(old, fresh, "s102.ts", 102),
               milliseconds == 1 ? at("same_place", "r102.ts") : "date");
  }
  // Set right between two segments: what comes behind is at its own date.
  for (unsigned i = 0; i < 4; i++) fresh.segments[i].tags = date((100 + i) * 6, i < 3 ? 0 : 40);
  tap::equal("set right behind it", rebind(old, fresh, "s102.ts", 102), "date");
  fresh.base = kOld;
  for (unsigned i = 0; i < 4; i++) fresh.segments[i].uri = "s" + std::to_string(100 + i) + ".ts";
  tap::equal("set right behind it, by one path", rebind(old, fresh, "s102.ts", 102),
             "same_path https://a.example/s1/v/s102.ts");
  tap::equal("set right at it, by one path", rebind(old, fresh, "s103.ts", 103), "date");
  Media undated = window(kNew, 100, 4);
  tap::equal("no clock any more", rebind(old, undated, "s102.ts", 102), "no_date");
}

string master(const std::vector<std::pair<int, string>> &rows) {
  string text = "#EXTM3U\n";
  for (const auto &[bandwidth, uri] : rows) {
    text += "#EXT-X-STREAM-INF:BANDWIDTH=" + std::to_string(bandwidth) + "\n" + uri + "\n";
  }
  return text;
}

string rendition(const string &old_text, const string &fresh_text, const string &uri) {
  hls::PlaylistIndex before = fixture::remembered(kOld, old_text), after = fixture::index(kNew, fresh_text);
  hls::OldGeneration old{"p", hls::mark_of(fixture::url(kOld)), &before, {}};
  hls::Url entry = fixture::url(kNew);
  hls::DeadUrl dead(fixture::resolve(kOld, uri), std::nullopt);
  return fixture::show(hls::rebind_playlist(dead, &old, {"p", &entry, &after}));
}

// Ladders without anything but bandwidths, which are measured anew each time.
void check_ladders() {
  const string old = master({{500, "a"}, {1000, "b"}, {2000, "c"}});
  tap::equal("measured anew", rendition(old, master({{510, "x"}, {980, "y"}, {2100, "z"}}), "b"),
             at("same_rendition", "y"));
  tap::equal("all a step up", rendition(old, master({{1010, "x"}, {2020, "y"}, {4040, "z"}}), "b"),
             "ambiguous_rendition");
  tap::equal("all a step down", rendition(old, master({{260, "x"}, {510, "y"}, {990, "z"}}), "b"),
             "ambiguous_rendition");
  tap::equal("the lowest for a new highest",
             rendition(old, master({{1010, "x"}, {2020, "y"}, {9000, "z"}}), "a"),
             "ambiguous_rendition");
  tap::equal("two of two",
             rendition(master({{500, "a"}, {1000, "b"}}), master({{1100, "x"}, {2200, "y"}}), "b"),
             "ambiguous_rendition");

  // One script for all playlists; the dead one is not in the table.
  const string table = master({{500, "/pl?v=1&t=1"}}), fresh = master({{500, "/pl?v=1&t=2"}});
  tap::equal("the row itself", rendition(table, fresh, "/pl?v=1&t=1"),
             "same_path https://b.example/pl?v=1&t=2");
  tap::equal("an older token", rendition(table, fresh, "/pl?v=1&t=0"),
             "same_path https://b.example/pl?v=1&t=2");
  tap::equal("another row", rendition(table, fresh, "/pl?v=2&t=1"), "not_remembered");
}

// An entry that a query tells from its children.
void check_entry() {
  hls::PlaylistIndex before = fixture::remembered("https://a.example/get?v=all&t=1",
                                                  master({{500, "/w/x.m3u8"}}));
  hls::PlaylistIndex after = fixture::index("https://b.example/get?v=all&t=2", master({{500, "/w/x.m3u8"}}));
  hls::OldGeneration old{"p", hls::mark_of(fixture::url("https://a.example/get?v=all&t=1")), &before, {}};
  hls::Url entry = fixture::url("https://b.example/get?v=all&t=2");
  auto rebind_url = [&](const char *url) {
    return fixture::show(hls::rebind_playlist({fixture::url(url), std::nullopt}, &old,
                                              {"p", &entry, &after}));
  };
  tap::equal("itself", rebind_url("https://a.example/get?v=all&t=1"),
             "entry https://b.example/get?v=all&t=2");
  tap::equal("an older token", rebind_url("https://a.example/get?v=all&t=0"),
             "entry https://b.example/get?v=all&t=2");
  tap::equal("a child of long ago", rebind_url("https://a.example/get?v=3&t=0"), "not_remembered");
}

#define TEST(name)               \
  void test_##name(void **) {    \
    check_##name();              \
    TAP_FINISH();                \
  }
TEST(restart)
TEST(unnumbered)
TEST(event)
TEST(twins)
TEST(advertisements)
TEST(keys)
TEST(gaps)
TEST(growing_file)
TEST(parts)
TEST(drift)
TEST(ladders)
TEST(entry)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_restart), cmocka_unit_test(test_unnumbered), cmocka_unit_test(test_event),
         cmocka_unit_test(test_twins), cmocka_unit_test(test_advertisements), cmocka_unit_test(test_keys),
         cmocka_unit_test(test_gaps), cmocka_unit_test(test_growing_file), cmocka_unit_test(test_parts),
         cmocka_unit_test(test_drift), cmocka_unit_test(test_ladders), cmocka_unit_test(test_entry))

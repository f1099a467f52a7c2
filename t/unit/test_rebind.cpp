// The rules of rebinding, one by one: what they find and what they must refuse.

#include "rebind_fixture.h"

#include "tap_main.h"

namespace {

using fixture::Media;
using fixture::rebind;
using fixture::Segment;
using std::string;

constexpr bool kUnknown = false;

// VOD: six segments of differing durations.
Media vod(const string &base, const string &prefix, const string &query = "") {
  Media m;
  m.base = base;
  int i = 0;
  for (const char *duration : {"6.006", "5.005", "6.006", "4.171", "6.006", "2.5"}) {
    m.segments.push_back({prefix + std::to_string(i++) + ".ts" + query, duration, ""});
  }
  return m;
}

// Live: a window of four segments from `sequence` on; segment n is named after n and dated by it.
Media live(const string &base, const string &prefix, std::uint64_t sequence, bool dated,
           const string &query = "") {
  Media m;
  m.base = base;
  m.sequence = sequence;
  m.ended = false;
  for (std::uint64_t n = sequence; n < sequence + 4; n++) {
    string date = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:" + std::to_string(10 + n / 10 % 50) + ":" +
                  std::to_string(n % 10) + "0.000Z\n";
    m.segments.push_back({prefix + std::to_string(n) + ".ts" + query, "6", dated ? date : ""});
  }
  return m;
}

const char *const kOld = "https://a.example/tok1/v/index.m3u8?t=1";
const char *const kNew = "https://b.example/tok2/w/list.m3u8?t=2";

void check_r1() {
  Media old = vod("https://a.example/v/index.m3u8?t=1", "s", "?t=1");
  Media token = vod("https://a.example/v/index.m3u8?t=2", "s", "?t=2");
  Media host = vod("https://b.example/v/index.m3u8?t=1", "s", "?t=1");
  for (bool known : {true, false}) {
    tap::equal("the token rotates", rebind(old, token, "s3.ts?t=1", 3, known),
               "same_path https://a.example/v/s3.ts?t=2");
    tap::equal("the host rotates", rebind(old, host, "s3.ts?t=1", 3, known),
               "same_path https://b.example/v/s3.ts?t=1");
  }
  token.segments[3].uri = "s3.ts?own=of-this-file";
  tap::equal("tokens of each file", rebind(old, token, "s3.ts?t=1", 3),
             "same_path https://a.example/v/s3.ts?own=of-this-file");
  tap::equal("a query that memory has not seen", rebind(old, token, "s3.ts?t=0", 3),
             "same_path https://a.example/v/s3.ts?own=of-this-file");

  Media twice = host;
  twice.segments[4].uri = "s3.ts?u=2";
  tap::equal("a path that is there twice", rebind(old, twice, "s3.ts?t=1", 3, kUnknown), "ambiguous");
  Media moved = host;
  std::swap(moved.segments[2].uri, moved.segments[4].uri);
  tap::equal("a path that moved", rebind(old, moved, "s2.ts?t=1", 2), "moved");
  tap::equal("a path that moved, R1 alone", rebind(old, moved, "s2.ts?t=1", 2, kUnknown), "moved");
  tap::equal("no such path, R1 alone", rebind(old, vod(kNew, "s"), "s2.ts?t=1", 2, kUnknown),
             "not_remembered");

  Media names = vod("https://a.example/get.m3u8", "x");
  Media fresh_names = vod("https://b.example/get.m3u8", "x");
  for (int i = 0; i < 6; i++) {
    names.segments[i].uri = "/get?file=" + std::to_string(i) + "&t=1";
    fresh_names.segments[i].uri = "/get?file=" + std::to_string(i) + "&t=2";
  }
  tap::equal("the query is the name: VOD tells by the place", rebind(names, fresh_names, "/get?file=2&t=1",
                                                                     2),
             "same_place https://b.example/get?file=2&t=2");
  tap::equal("the query is the name, R1 alone",
             rebind(names, fresh_names, "/get?file=2&t=1", 2, kUnknown), "ambiguous");
}

// Where nothing is remembered: what has no position only in complete playlists, and not what another query
// selects.
void check_r1_alone() {
  const string key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key?t=1\"\n#EXT-X-MAP:URI=\"i.mp4?t=1\"\n";
  Media window = live(kOld, "s", 100, true), fresh_window = live(kOld, "s", 102, true);
  window.head = key;
  fresh_window.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key?t=2\"\n#EXT-X-MAP:URI=\"i.mp4?t=2\"\n";
  for (const char *uri : {"k.key?t=1", "i.mp4?t=1"}) {
    tap::equal(string("live: ") + uri, rebind(window, fresh_window, uri, std::nullopt, kUnknown),
               "not_remembered");
    string fresh = "same_path https://a.example/tok1/v/" +
        string(uri).replace(string(uri).find('=') + 1, 1, "2");
    tap::equal(string("live, remembered: ") + uri, rebind(window, fresh_window, uri, std::nullopt), fresh);
    fresh_window.ended = true;
    tap::equal(string("complete: ") + uri, rebind(window, fresh_window, uri, std::nullopt, kUnknown), fresh);
    fresh_window.ended = false;
  }
  tap::equal("live: a segment has a position", rebind(window, fresh_window, "s103.ts", 103, kUnknown),
             "same_path https://a.example/tok1/v/s103.ts");
  tap::equal("live: a segment without one", rebind(window, fresh_window, "s103.ts", std::nullopt, kUnknown),
             "not_remembered");

  const string there = "same_path https://a.example/tok1/v/k?", none = "not_remembered";
  struct Query {
    string old, fresh, found;
  };
  for (const Query &q : {Query{"t=1", "t=2", there + "t=2"}, {"kid=7&t=1", "kid=7&t=2", there + "kid=7&t=2"},
                         {"kid=7&t=1", "kid=8&t=2", none}, {"KID=7", "KID=8", none},
                             {"KeyId=7", "KeyId=8", none},
                         {"key_id=7", "key_id=8", none}, {"lang=en", "lang=de", none},
                             {"t=1&q=720", "t=2&q=1080", none},
                         {"quality=hi&t=1", "t=2", none}, {"t=1", "quality=hi&t=2", none},
                         {"quality=hi&t=1", "t=2&quality=hi", there + "t=2&quality=hi"},
                         {"quality=hi", "quality=HI", none}, {"q=1&q=2", "q=1", none}, {"id", "id=1", none},
                         {"liq=1", "liq=2", there + "liq=2"}, {"qq=1", "qq=2", there + "qq=2"},
                             {"", "q=", none}}) {
    Media old = vod(kOld, "s"), fresh = vod(kOld, "s");
    old.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k?" + q.old + "\"\n";
    fresh.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k?" + q.fresh + "\"\n";
    tap::equal("a key: " + q.old + " and " + q.fresh,
               rebind(old, fresh, "k?" + q.old, std::nullopt, kUnknown), q.found);
    old.segments[2].uri = "k?" + q.old;
    fresh.segments[2].uri = "k?" + q.fresh;
    old.head = fresh.head = "";
    tap::equal("a segment: " + q.old + " and " + q.fresh, rebind(old, fresh, "k?" + q.old, 2, kUnknown),
               q.found);
  }
}

void check_r2_vod() {
  Media old = vod(kOld, "s", "?t=1"), fresh = vod(kNew, "s", "?t=2");
  tap::equal("directories rotate", rebind(old, fresh, "s3.ts?t=1", 3),
             "same_name https://b.example/tok2/w/s3.ts?t=2");
  tap::equal("the last one", rebind(old, fresh, "s5.ts?t=1", 5),
             "same_name https://b.example/tok2/w/s5.ts?t=2");

  Media episode = fresh;
  episode.segments[3].duration = "4.172";
  tap::equal("another episode with the same file names: a duration", rebind(old, episode, "s0.ts?t=1", 0),
             "fingerprint");
  episode = fresh;
  episode.segments.pop_back();
  tap::equal("another episode with the same file names: the count", rebind(old, episode, "s0.ts?t=1", 0),
             "fingerprint");
  episode.base = old.base;
  tap::equal("another episode with the same paths", rebind(old, episode, "s0.ts?t=1", 0), "fingerprint");
  episode = fresh;
  episode.ended = false;
  tap::equal("complete no more", rebind(old, episode, "s0.ts?t=1", 0), "fingerprint");

  Media shifted = fresh;
  for (int i = 0; i < 6; i++) shifted.segments[i].uri = "s" + std::to_string(i + 1) + ".ts";
  tap::equal("names that are one off", rebind(old, shifted, "s3.ts?t=1", 3), "moved");
  Media later = fresh;
  later.sequence = 1;
  tap::equal("sequence numbers that are one off", rebind(old, later, "s3.ts?t=1", 3), "duration");
}

void check_r3_vod() {
  Media old = vod(kOld, "s", "?t=1"), fresh = vod(kNew, "other");
  tap::equal("file names rotate, too", rebind(old, fresh, "s3.ts?t=1", 3),
             "same_place https://b.example/tok2/w/other3.ts");
  tap::equal("R1 alone", rebind(old, fresh, "s3.ts?t=1", 3, kUnknown), "not_remembered");
  for (int i = 0; i < 6; i++) {
    old.segments[i].uri = "d" + std::to_string(i) + "/segment.ts";
    fresh.segments[i].uri = "e" + std::to_string(i) + "/segment.ts";
  }
  tap::equal("one name for all", rebind(old, fresh, "d3/segment.ts", 3),
             "same_place https://b.example/tok2/w/e3/segment.ts");
  Media segmentation = fresh;
  segmentation.segments[0].duration = "5.005";
  segmentation.segments[1].duration = "6.006";
  tap::equal("another segmentation of the same length", rebind(old, segmentation, "d3/segment.ts", 3),
             "fingerprint");
  tap::equal("a segment that the old playlist does not have", rebind(old, fresh, "d7/segment.ts", 7),
             "not_remembered");
}

void check_live() {
  Media old = live(kOld, "s", 100, false), fresh = live(kNew, "s", 102, false);
  tap::equal("R2 without dates", rebind(old, fresh, "s103.ts", 103),
             "same_name https://b.example/tok2/w/s103.ts");
  tap::equal("the window moved past it", rebind(old, fresh, "s101.ts", 101), "outside_window");
  tap::equal("the window is not there yet", rebind(fresh, old, "s105.ts", 105), "outside_window");
  tap::equal("R3 without dates", rebind(old, live(kNew, "r", 102, false), "s103.ts", 103), "no_date");

  Media dated = live(kOld, "s", 100, true), dated_fresh = live(kNew, "r", 102, true);
  tap::equal("R3", rebind(dated, dated_fresh, "s103.ts", 103), "same_place https://b.example/tok2/w/r103.ts");
  tap::equal("R3: moved past it", rebind(dated, dated_fresh, "s101.ts", 101), "outside_window");
  dated_fresh.segments[1].tags = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:20:30.002Z\n";
  tap::equal("another date", rebind(dated, dated_fresh, "s103.ts", 103), "date");
  tap::equal("a date on one side", rebind(dated, fresh, "s103.ts", 103), "no_date");

  Media restarted = live(kOld, "s", 100, false);
  restarted.sequence = 0;
  tap::equal("numbered anew", rebind(old, restarted, "s103.ts", 103), "outside_window");
  restarted.base = "https://b.example/tok1/v/index.m3u8";
  tap::equal("numbered anew, R1 alone", rebind(old, restarted, "s103.ts", 103, kUnknown), "outside_window");
  Media restarted_within = live(old.base, "s", 100, false);
  restarted_within.sequence = 101;
  tap::equal("the same path at another number", rebind(old, restarted_within, "s103.ts", 103), "moved");
  Media ended = live(kNew, "s", 102, false);
  ended.ended = true;
  tap::equal("ended in between", rebind(old, ended, "s103.ts", 103),
             "same_name https://b.example/tok2/w/s103.ts");
  Media other_duration = fresh;
  other_duration.segments[0].duration = "7";
  tap::equal("another duration", rebind(old, other_duration, "s102.ts", 102), "duration");
  tap::equal("another duration nearby", rebind(old, other_duration, "s103.ts", 103), "duration");
}

// Dates that are only given once per playlist.
void check_reckoned_dates() {
  Media old = live(kOld, "s", 100, false), fresh = live(kNew, "r", 102, false);
  old.head = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00.000Z\n";
  fresh.segments[2].tags = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:24.010+00:00\n";
  tap::equal("reckoned on both sides", rebind(old, fresh, "s103.ts", 103),
             "same_place https://b.example/tok2/w/r103.ts");
  fresh.segments[2].tags = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:24.300Z\n";
  tap::equal("too far apart", rebind(old, fresh, "s103.ts", 103), "date");
  old.head.clear();
  old.segments[0].tags = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n";
  old.segments[2].tags = "#EXT-X-DISCONTINUITY\n";
  fresh.head = "#EXT-X-DISCONTINUITY-SEQUENCE:1\n";
  tap::equal("not over a discontinuity", rebind(old, fresh, "s103.ts", 103), "no_date");
}

void check_discontinuity() {
  Media old = live(kOld, "s", 100, false), fresh = live(kNew, "s", 102, false);
  Media inserted = fresh;
  inserted.segments[1].tags = "#EXT-X-DISCONTINUITY\n";
  tap::equal("inserted before it", rebind(old, inserted, "s103.ts", 103), "discontinuity");
  tap::equal("inserted behind it", rebind(old, inserted, "s102.ts", 102), "discontinuity");
  old.head = "#EXT-X-DISCONTINUITY-SEQUENCE:4\n";
  old.segments[1].tags = "#EXT-X-DISCONTINUITY\n";
  fresh.head = "#EXT-X-DISCONTINUITY-SEQUENCE:5\n";
  tap::equal("the numbers agree", rebind(old, fresh, "s103.ts", 103),
             "same_name https://b.example/tok2/w/s103.ts");
  fresh.head = "#EXT-X-DISCONTINUITY-SEQUENCE:6\n";
  tap::equal("they do not", rebind(old, fresh, "s103.ts", 103), "discontinuity");
  fresh.base = old.base;
  tap::equal("they do not, with the same paths", rebind(old, fresh, "s103.ts", 103), "discontinuity");
  fresh.head.clear();
  tap::equal("not stated: the same path will do", rebind(old, fresh, "s103.ts", 103),
             "same_path https://a.example/tok1/v/s103.ts");
  Media film = vod(kOld, "s"), cut = vod(kNew, "s");
  cut.segments[2].tags = "#EXT-X-DISCONTINUITY\n";
  tap::equal("VOD", rebind(film, cut, "s3.ts", 3), "discontinuity");
}

void check_keys() {
  const string kKey = "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key?t=1\"\n";
  Media old = vod(kOld, "s"), fresh = vod(kNew, "s");
  old.head = kKey;
  fresh.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"other.key\"\n";
  tap::equal("the key's name rotates", rebind(old, fresh, "k.key?t=1", std::nullopt),
             "same_place https://b.example/tok2/w/other.key");
  tap::equal("the segment's does not", rebind(old, fresh, "s2.ts", 2),
             "same_name https://b.example/tok2/w/s2.ts");
  fresh.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key?t=2\"\n";
  tap::equal("the key's directory", rebind(old, fresh, "k.key?t=1", std::nullopt),
             "same_name https://b.example/tok2/w/k.key?t=2");
  fresh.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"/tok1/v/k.key?t=2\"\n";
  for (bool known : {true, false}) {
    tap::equal("the key's token", rebind(old, fresh, "k.key?t=1", std::nullopt, known),
               "same_path https://b.example/tok1/v/k.key?t=2");
  }

  Media changed = fresh;
  for (const char *head : {"#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k.key\"\n", "",
                           "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\",IV=0x1\n",
                           "#EXT-X-KEY:METHOD=AES-128,URI=\"data:,k\"\n", "#EXT-X-KEY:METHOD=NONE\n"}) {
    changed.head = head;
    tap::equal(string("changed keys: ") + head, rebind(old, changed, "s2.ts", 2), "encryption");
    tap::equal(string("changed keys, the key: ") + head, rebind(old, changed, "k.key?t=1", std::nullopt),
               "encryption");
    changed.base = old.base;
    tap::equal(string("changed keys, the same path: ") + head, rebind(old, changed, "s2.ts", 2),
               "encryption");
    changed.base = fresh.base;
  }
  changed.head = kKey;
  changed.segments[3].tags = "#EXT-X-KEY:METHOD=AES-128,URI=\"k2.key\"\n";
  tap::equal("changed at another place", rebind(old, changed, "s2.ts", 2), "encryption");
  tap::equal("changed at another place, the key", rebind(old, changed, "k.key?t=1", std::nullopt),
             "ambiguous");

  old.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k1.key\",IV=0x00AB\n";
  changed.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k2.key\",IV=0Xab\n";
  old.segments[3].tags = "#EXT-X-KEY:METHOD=AES-128,URI=\"k2.key\",IV=0xac\n";
  changed.segments[3].tags = "#EXT-X-KEY:METHOD=AES-128,URI=\"k1.key\",IV=0xac\n";
  tap::equal("two keys that swapped names", rebind(old, changed, "k1.key", std::nullopt), "moved");
  changed.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"k3.key\",IV=0xab\n";
  changed.segments[3].tags = "#EXT-X-KEY:METHOD=AES-128,URI=\"k4.key\",IV=0xac\n";
  tap::equal("two keys whose names rotate", rebind(old, changed, "k2.key", std::nullopt),
             "same_place https://b.example/tok2/w/k4.key");
}

void check_drm() {
  Media old = vod(kOld, "s"), fresh = vod(kNew, "s");
  const string kDrm = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://1\","
                      "KEYFORMAT=\"com.apple.streamingkeydelivery\"\n";
  old.head = fresh.head = kDrm;
  tap::equal("the same key", rebind(old, fresh, "s2.ts", 2), "same_name https://b.example/tok2/w/s2.ts");
  fresh.head[fresh.head.find("//1") + 2] = '2';
  tap::equal("another key", rebind(old, fresh, "s2.ts", 2), "encryption");
}

void check_maps() {
  Media old = vod(kOld, "s"), fresh = vod(kNew, "s");
  old.head = "#EXT-X-MAP:URI=\"init.mp4\"\n";
  tap::equal("none any more", rebind(old, fresh, "s2.ts", 2), "init_section");
  tap::equal("none any more, the section", rebind(old, fresh, "init.mp4", std::nullopt), "init_section");
  fresh.head = "#EXT-X-MAP:URI=\"init.mp4?t=2\"\n";
  tap::equal("its directory rotates", rebind(old, fresh, "init.mp4", std::nullopt),
             "same_name https://b.example/tok2/w/init.mp4?t=2");
  fresh.head = "#EXT-X-MAP:URI=\"i.mp4\"\n";
  tap::equal("its name rotates", rebind(old, fresh, "init.mp4", std::nullopt),
             "same_place https://b.example/tok2/w/i.mp4");
  fresh.segments[4].tags = "#EXT-X-MAP:URI=\"j.mp4\"\n";
  tap::equal("a second one", rebind(old, fresh, "init.mp4", std::nullopt), "ambiguous");
  tap::equal("a second one, a segment", rebind(old, fresh, "s2.ts", 2), "init_section");
  fresh.segments[4].tags.clear();
  fresh.head = "#EXT-X-MAP:URI=\"i.mp4\",BYTERANGE=\"100@0\"\n";
  tap::equal("a range of a file", rebind(old, fresh, "init.mp4", std::nullopt), "byte_range");
  old.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"m.key\"\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-KEY:METHOD=NONE\n";
  fresh.head = "#EXT-X-KEY:METHOD=AES-128,URI=\"n.key\"\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXT-X-KEY:METHOD=NONE\n";
  tap::equal("the key of a section alone", rebind(old, fresh, "m.key", std::nullopt),
             "same_place https://b.example/tok2/w/n.key");
  fresh.head = "#EXT-X-MAP:URI=\"i.mp4\"\n";
  tap::equal("a section that is plain now", rebind(old, fresh, "s2.ts", 2), "encryption");

  Media old_live = live(kOld, "s", 100, false), fresh_live = live(kNew, "s", 102, false);
  old_live.head = "#EXT-X-MAP:URI=\"init.mp4\"\n";
  fresh_live.head = "#EXT-X-MAP:URI=\"i.mp4\"\n";
  tap::equal("live: names rotate without dates", rebind(old_live, fresh_live, "init.mp4", std::nullopt),
             "no_date");
  fresh_live.head = "#EXT-X-MAP:URI=\"init.mp4\"\n";
  tap::equal("live", rebind(old_live, fresh_live, "init.mp4", std::nullopt),
             "same_name https://b.example/tok2/w/init.mp4");
  fresh_live.sequence = 104;
  tap::equal("live: no segment in common", rebind(old_live, fresh_live, "init.mp4", std::nullopt),
             "outside_window");
}

// One file, of which segments and the init section are ranges.
Media ranges(const string &base, const string &file, int size_of_last) {
  Media m = vod(base, "");
  m.head = "#EXT-X-MAP:URI=\"" + file + "\",BYTERANGE=\"700@0\"\n";
  for (int i = 0; i < 6; i++) {
    int size = i == 5 ? size_of_last : 1000 + i;
    m.segments[i].uri = file;
    m.segments[i].tags = "#EXT-X-BYTERANGE:" + std::to_string(size) + (i == 0 ? "@700\n" : "\n");
  }
  return m;
}

void check_byte_ranges() {
  Media old = ranges(kOld, "film.mp4?t=1", 500);
  tap::equal("its directory rotates", rebind(old, ranges(kNew, "film.mp4?t=2", 500), "film.mp4?t=1",
                                             std::nullopt),
             "same_name https://b.example/tok2/w/film.mp4?t=2");
  tap::equal("its name rotates", rebind(old, ranges(kNew, "f.mp4", 500), "film.mp4?t=1", std::nullopt),
             "same_place https://b.example/tok2/w/f.mp4");
  tap::equal("another length", rebind(old, ranges(kNew, "film.mp4", 501), "film.mp4?t=1", std::nullopt),
             "byte_range");
  tap::equal("another length, the same path",
             rebind(old, ranges(old.base, "film.mp4?t=2", 501), "film.mp4?t=1", std::nullopt), "byte_range");
  tap::equal("R1 alone", rebind(old, ranges(old.base, "film.mp4?t=2", 500), "film.mp4?t=1", std::nullopt,
                                kUnknown),
             "same_path https://a.example/tok1/v/film.mp4?t=2");
  Media shifted = ranges(kNew, "film.mp4", 500);
  shifted.segments[0].tags = "#EXT-X-BYTERANGE:1000@701\n";
  tap::equal("other offsets", rebind(old, shifted, "film.mp4?t=1", std::nullopt), "byte_range");
  Media files = vod(kNew, "s");
  files.head = old.head;
  tap::equal("files of their own now", rebind(old, files, "film.mp4?t=1", std::nullopt), "byte_range");
  Media two = ranges(kNew, "f.mp4", 500);
  two.segments[5].uri = "g.mp4";
  two.segments[5].tags = "#EXT-X-BYTERANGE:500@5710\n";
  tap::equal("two files now", rebind(old, two, "film.mp4?t=1", std::nullopt), "ambiguous");
  tap::equal("whole files became ranges, R1 alone",
             rebind(vod(kOld, "s"), [] {
               Media m = vod(kOld, "s");
               m.segments[2].tags = "#EXT-X-BYTERANGE:10@0\n";
               return m;
             }(), "s2.ts", 2, kUnknown), "byte_range");
}

void check_parts() {
  auto media = [](const string &base, const string &prefix, const string &date) {
    Media m = live(base, prefix, 100, false);
    m.head = date;
    for (int i = 0; i < 3; i++) {
      m.segments[3].tags += "#EXT-X-PART:DURATION=2.0,URI=\"" + prefix + "103." +
                            std::to_string(i) + ".mp4\"\n";
    }
    m.tail = "#EXT-X-PART:DURATION=2.0,URI=\"" + prefix + "104.0.mp4\"\n"
             "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"" + prefix + "104.1.mp4\"\n";
    return m;
  };
  const string kDate = "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n";
  Media old = media(kOld, "s", kDate);
  tap::equal("directories", rebind(old, media(kNew, "s", kDate), "s103.1.mp4", 103, true, 1),
             "same_name https://b.example/tok2/w/s103.1.mp4");
  tap::equal("names", rebind(old, media(kNew, "r", kDate), "s103.1.mp4", 103, true, 1),
             "same_place https://b.example/tok2/w/r103.1.mp4");
  tap::equal("of the segment to come", rebind(old, media(kNew, "r", kDate), "s104.0.mp4", 104, true, 0),
             "same_place https://b.example/tok2/w/r104.0.mp4");
  tap::equal("the token of a hint", rebind(old, media(old.base, "s", kDate), "s104.1.mp4", 104, true, 1),
             "same_path https://a.example/tok1/v/s104.1.mp4");
  tap::equal("the name of a hint", rebind(old, media(kNew, "r", kDate), "s104.1.mp4", 104, true, 1),
             "not_remembered");
  Media fewer = media(kNew, "s", kDate);
  fewer.segments[3].tags.clear();
  tap::equal("parts that are gone", rebind(old, fewer, "s103.1.mp4", 103, true, 1), "outside_window");
  Media longer = media(kNew, "s", kDate);
  longer.segments[3].tags.replace(longer.segments[3].tags.find("2.0"), 3, "1.9");
  tap::equal("another duration", rebind(old, longer, "s103.0.mp4", 103, true, 0), "duration");
}

void check_others() {
  Media old = vod(kOld, "s"), fresh = vod(old.base, "s");
  fresh.segments[2].tags = "#EXT-X-GAP\n";
  tap::equal("a gap", rebind(old, fresh, "s2.ts", 2), "gap");
  tap::equal("a gap, R1 alone", rebind(old, fresh, "s2.ts", 2, kUnknown), "gap");
  tap::equal("a gap elsewhere", rebind(old, fresh, "s3.ts", 3), "same_path https://a.example/tok1/v/s3.ts");
  fresh = live(old.base, "s", 0, false);
  fresh.head = "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n";
  tap::equal("a delta update", rebind(old, fresh, "s2.ts", 2), "incomplete");
  hls::PlaylistIndex hashes = fixture::remembered(old.base, old.text());
  hls::MediaRebinder rebinder(&hashes, hashes);
  tap::equal("a fresh one without URLs",
             fixture::show(rebinder.rebind(hls::DeadUrl(fixture::resolve(kOld, "s2.ts"), std::nullopt))),
             "incomplete");
  hls::PlaylistIndex table = fixture::index(kOld, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n");
  tap::equal("no media playlist",
             fixture::show(hls::MediaRebinder(&hashes, table)
                               .rebind(hls::DeadUrl(fixture::resolve(kOld, "s2.ts"), std::nullopt))),
             "other_structure");
  for (std::size_t i = 0; i < hls::kRebindRefusals; i++) {
    auto refusal = static_cast<hls::RebindRefusal>(i);
    tap::check(string(hls::name_of(refusal)) != "unknown" && hls::describe(refusal)[0], "a refusal's name");
  }
  tap::equal("no further refusals", hls::name_of(static_cast<hls::RebindRefusal>(hls::kRebindRefusals)),
             "unknown");
  tap::equal("no further rules", hls::name_of(static_cast<hls::RebindRule>(hls::kRebindRules)), "unknown");
  tap::equal("the last rule", hls::name_of(static_cast<hls::RebindRule>(hls::kRebindRules - 1)),
             "same_rendition");
}

#define TEST(name)               \
  void test_##name(void **) {    \
    check_##name();              \
    TAP_FINISH();                \
  }
TEST(r1)
TEST(r1_alone)
TEST(r2_vod)
TEST(r3_vod)
TEST(live)
TEST(reckoned_dates)
TEST(discontinuity)
TEST(keys)
TEST(drm)
TEST(maps)
TEST(byte_ranges)
TEST(parts)
TEST(others)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_r1), cmocka_unit_test(test_r1_alone), cmocka_unit_test(test_r2_vod),
         cmocka_unit_test(test_r3_vod),
         cmocka_unit_test(test_live), cmocka_unit_test(test_reckoned_dates),
         cmocka_unit_test(test_discontinuity), cmocka_unit_test(test_keys), cmocka_unit_test(test_drm),
         cmocka_unit_test(test_maps), cmocka_unit_test(test_byte_ranges), cmocka_unit_test(test_parts),
         cmocka_unit_test(test_others))

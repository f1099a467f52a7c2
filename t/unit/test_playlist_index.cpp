// What is indexed of a playlist, its flat form, and that it agrees with what the rewriter signs.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "playlist_fixture.h"
#include "playlist_index.h"
#include "rebind_fixture.h"

#include "tap_main.h"

namespace {

using hls::IndexError;
using hls::PlaylistIndex;
using std::string;

const char *const kBase = "https://up.example/live/ch1/index.m3u8?tok=A";

string range_text(const PlaylistIndex::Range &range) {
  return range.present ? " [" + std::to_string(range.offset) + "+" + std::to_string(range.length) + "]" : "";
}

/// One line per unit: "sequence.part path duration d=discontinuity date map key".
string show(const PlaylistIndex &index) {
  string shown;
  auto path = [&](std::uint32_t address) {
    return address == PlaylistIndex::kNone ? string("-") : index.addresses[address].text.substr(28);
  };
  for (const PlaylistIndex::Unit &u : index.units) {
    shown += std::to_string(u.sequence) + (u.part < 0 ?
                                           "" : "." + std::to_string(u.part)) + " " + path(u.address) +
             range_text(u.range) + " " + std::to_string(u.duration / 1000);
    if (u.discontinuity) shown += " d=" + std::to_string(u.discontinuity);
    if (u.clock == PlaylistIndex::Clock::given) shown += " at=" + std::to_string(u.date / 1000);
    if (u.clock == PlaylistIndex::Clock::reckoned) shown += " ~" + std::to_string(u.date / 1000);
    if (u.gap) shown += " gap";
    if (u.map != PlaylistIndex::kNone) {
      shown += " map=" + path(index.maps[u.map].address) + range_text(index.maps[u.map].range);
    }
    if (u.keys != PlaylistIndex::kNone) shown += " key=" + path(index.key_sets[u.keys].address);
    shown += "\n";
  }
  for (const PlaylistIndex::Hint &h : index.hints) {
    shown += "hint " + std::to_string(h.sequence) + "." + std::to_string(h.part) + " " +
             path(h.address) + "\n";
  }
  for (std::uint32_t extra : index.extras) shown += "extra " + path(extra) + "\n";
  for (const PlaylistIndex::Rendition &r : index.renditions) {
    shown += "row " + std::to_string(static_cast<int>(r.role)) + " " + path(r.address) + " " +
             std::to_string(r.bandwidth);
    for (const string &field : r.fields) shown += "|" + field;
    shown += "\n";
  }
  return shown;
}

string read(const string &text, const string &inherited = "") {
  PlaylistIndex index;
  IndexError error = hls::index_playlist(fixture::url(kBase), fixture::url(kBase), inherited, text, index);
  return error == IndexError::none ? show(index) : string("! ") + hls::describe(error);
}

string failure(IndexError error) { return string("! ") + hls::describe(error); }

void check_media() {
  tap::equal("segments", read("\xEF\xBB\xBF \n#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\r\n#EXTINF:6.006,x\r\n a.ts \r"
                              "#EXT-X-GAP\n#EXTINF:5\n/live/ch1/b.ts?q\n#EXT-X-MEDIA-SEQUENCE:99\ndata:,x"),
             "7 a.ts 6006\n8 b.ts?q 5000 gap\n9 - 0\n");
  tap::equal("keys and maps",
             read("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXT-X-MAP:URI=\"m\",BYTERANGE=\"9@1\"\n"
                  "#EXTINF:1,\na\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"f\"\n"
                  "#EXTINF:1,\nb\n"
                  "#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"n\"\n#EXTINF:1,\nc\n"
                  "#EXT-X-KEY:METHOD=AES-128,URI=\"data:,k\"\n#EXTINF:1,\nd\n"),
             "0 a 1000 map=m [1+9] key=k1\n1 b 1000 map=m [1+9] key=k1\n"
             "2 c 1000 map=n\n3 d 1000 map=n key=-\n");
  tap::equal("ranges",
             read("#EXTM3U\n#EXT-X-BYTERANGE:10@5\n#EXTINF:1,\na\n#EXT-X-BYTERANGE:20\n#EXTINF:1,\na\n"
                  "#EXT-X-BYTERANGE:30\n#EXTINF:1,\nb\n#EXTINF:1,\na\n"),
             "0 a [5+10] 1000\n1 a [15+20] 1000\n2 b [0+30] 1000\n3 a 1000\n");
  tap::equal("dates",
             read("#EXTM3U\n#EXTINF:2,\na\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:3,\nb\n"
                           "#EXTINF:4,\nc\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\nd\n"),
             "0 a 2000 ~8000\n1 b 3000 at=10000\n2 c 4000 ~13000\n3 d 1000 d=1\n");
  tap::equal("no date before a discontinuity",
             read("#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXTINF:2,\na\n"
                  "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXT-X-DISCONTINUITY\n#EXTINF:3,\nb\n"),
             "0 a 2000 d=3\n1 b 3000 d=4 at=10000\n");
  tap::equal("parts",
             read("#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"
                           "#EXT-X-PART:DURATION=1,URI=\"p0\"\n"
                           "#EXT-X-PART:DURATION=0.5,URI=\"p\",BYTERANGE=\"5@2\"\n"
                           "#EXT-X-PART:DURATION=1,URI=\"p\",BYTERANGE=\"6\",GAP=YES\n#EXTINF:2.5,\na\n"
                           "#EXT-X-PART:DURATION=1,URI=\"q\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"r\"\n"
                           "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"m\"\n#EXT-X-PREFETCH:x.ts\n"),
             "3.0 p0 1000 at=10000\n3.1 p [2+5] 500 ~11000\n3.2 p [7+6] 1000 ~11500 gap\n3 a 2500 at=10000\n"
             "4.0 q 1000 ~12500\nhint 4.1 r\nextra m\nextra x.ts\n");
}

void check_variables() {
  hls::Variables inherited;
  inherited.define("i", "in");
  tap::equal("all kinds", read("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\"\n#EXT-X-DEFINE:IMPORT=\"i\"\n"
                               "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXT-X-MAP:URI=\"{$i}.mp4\"\n"
                               "#EXTINF:1,\n{$a}{$tok}.ts\n",
                               inherited.encode()),
             "0 xA.ts 1000 map=in.mp4\n");
  tap::equal("in attributes", read("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\"\n"
                                   "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{$a}\",NAME=\"{$b}\",URI=\"u\"\n"),
             "row 3 u 0|x|{$b}||||||||||||\n");
  tap::equal("not defined", read("#EXTM3U\n#EXTINF:1,\n{$b}\n"), failure(IndexError::unknown_variable));
}

string left_to_children(const string &text, const string &inherited = "") {
  hls::PlaylistIndexer indexer(fixture::url(kBase), fixture::url(kBase), inherited);
  PlaylistIndex index;
  bool read = indexer.feed("#EXTM3U\n" + text) == IndexError::none;
  const string before = indexer.variables();
  if (!read || indexer.finish(index) != IndexError::none) return "error";
  return indexer.variables() == before ? before : "finish() changes them";
}

// What a multivariant playlist leaves to its children: all that it has, IMPORTs of its own included.
void check_left_to_children() {
  hls::Variables parent, both;
  parent.define("i", "in");
  parent.define("other", "x");
  both.define("a", "x");
  both.define("i", "in");
  both.define("tok", "A");
  tap::equal("none", left_to_children("#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"), "");
  tap::equal("not what it was given itself", left_to_children("#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
                                                              parent.encode()), "");
  tap::equal("all kinds",
             left_to_children("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\"\n#EXT-X-DEFINE:IMPORT=\"i\"\n"
                                           "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
                                           "v.m3u8\n", parent.encode()), both.encode());
}

/// The number of addresses, and which each segment has.
string addresses(const string &text) {
  PlaylistIndex index;
  if (hls::index_playlist(fixture::url(kBase), fixture::url(kBase), {}, "#EXTM3U\n" + text, index) !=
      IndexError::none) return "error";
  string shown = std::to_string(index.addresses.size()) + ":";
  for (const PlaylistIndex::Unit &unit : index.units) shown += " " + std::to_string(unit.address);
  return shown;
}

// Two URLs are one address if they are one text.
void check_addresses() {
  tap::equal("once each", addresses("#EXTINF:1,\na\n#EXTINF:1,\nb\n#EXTINF:1,\n./a\n#EXTINF:1,\n../ch1/b\n"),
             "2: 0 1 0 1");
  tap::equal("query, host, scheme, port, case",
             addresses("#EXTINF:1,\nhttps://h/a\n#EXTINF:1,\nhttps://h/a?\n"
             "#EXTINF:1,\nhttps://h/a?b\n#EXTINF:1,\nhttps://i/a\n#EXTINF:1,\nhttp://h/a\n"
             "#EXTINF:1,\nhttps://h:444/a\n#EXTINF:1,\nhttps://h/A\n#EXTINF:1,\nHTTPS://H/a\n"),
             "7: 0 1 2 3 4 5 6 0");
  tap::equal("of keys and maps, too", addresses("#EXT-X-KEY:METHOD=AES-128,URI=\"a\"\n#EXT-X-MAP:URI=\"b\"\n"
                                                "#EXTINF:1,\nb\n#EXTINF:1,\na\n"), "2: 1 0");
  string many, shown = "2000:";
  for (int i = 0; i < 4000; i++) {
    many += "#EXTINF:1,\n" + std::to_string(i % 2000) + "\n";
    shown += " " + std::to_string(i % 2000);
  }
  tap::equal("many", addresses(many), shown);
}

void check_multivariant() {
  tap::equal("rows",
             read("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",LANGUAGE=\"en\","
                  "CHANNELS=\"2\",URI=\"a.m3u8\"\n"
                  "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"n\"\n"
                  "#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1x2,CODECS=\"x,y\",FRAME-RATE=25.000,"
                  "AUDIO=\"a\"\n# c\n\nv.m3u8\n"
                  "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=3,URI=\"i.m3u8\"\n"
                  "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"k\"\n"
                  "#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"j.json\"\nrest.m3u8\n"),
             "extra k\nextra j.json\nextra rest.m3u8\nrow 3 a.m3u8 0|a|n|en|2||||||||||\n"
             "row 0 v.m3u8 9|||||1x2|x,y|25||a|||||\nrow 1 i.m3u8 3||||||||||||||\n");
}

void check_errors() {
  tap::equal("empty", read(""), failure(IndexError::not_a_playlist));
  tap::equal("blank", read(" \n\n"), failure(IndexError::not_a_playlist));
  tap::equal("HTML", read("<html>\n#EXTM3U\n"), failure(IndexError::not_a_playlist));
  const string head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n";
  tap::equal("a long URI", read(head + string(6200, 'a')), failure(IndexError::uri_too_long));
  tap::equal("a long line", read(head + string(16385, 'a')), failure(IndexError::line_too_long));
  tap::equal("a long tag", read(head + "#EXT-X-MAP:X=\"" + string(16385, 'a') + "\n"),
             failure(IndexError::line_too_long));
  tap::equal("a long title", read(head + "#EXTINF:2," + string(16385, 'a') + "\na\n"), "0 a 2000\n");
  tap::equal("a long comment", read(head + "#" + string(99999, 'a') + "\n#EXTINF:2,\na\n"), "0 a 2000\n");
  tap::equal("many blanks", read(head + string(16385, ' ') + "a\n"), failure(IndexError::line_too_long));
  tap::equal("an open quote", read(head + "#EXT-X-MAP:URI=\"a\n"), failure(IndexError::unterminated_quote));
  string many = head;
  for (int i = 0; i < 65536; i++) many += "a\n";
  tap::equal("the most segments", read(many).substr(0, 6), "0 a 0\n");
  tap::equal("one more", read(many + "a\n"), failure(IndexError::too_large));
  // A variable of 1000 bytes, fourteen times in each of ten attributes of 1000 rows: 140 MB out of 1 MB.
  string names = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"" + string(1000, 'x') + "\"\n", value, row;
  for (int i = 0; i < 14; i++) value += "{$v}";
  for (const char *name : {"RESOLUTION", "CODECS", "FRAME-RATE", "VIDEO-RANGE", "AUDIO", "VIDEO", "SUBTITLES",
                           "CLOSED-CAPTIONS", "STABLE-VARIANT-ID", "PATHWAY-ID"}) {
    row += string(",") + name + "=\"" + value + "\"";
  }
  for (int i = 0; i < 1000; i++) names += "#EXT-X-STREAM-INF:BANDWIDTH=1" + row + "\nv.m3u8\n";
  tap::check(read(names) == failure(IndexError::too_large), "attributes that variables make long");
  tap::equal("the last number", read(head + "#EXT-X-MEDIA-SEQUENCE:18446744073709551615\na\n"),
             "18446744073709551615 a 0\n");
  tap::equal("beyond it", read(head + "#EXT-X-MEDIA-SEQUENCE:18446744073709551615\na\nb\n"),
             failure(IndexError::out_of_order));
  tap::equal("parts of two segments with one number",
             read("#EXTM3U\n#EXT-X-PART:URI=\"a\"\n#EXT-X-STREAM-INF:\nv\n#EXT-X-PART:URI=\"b\"\n"),
             failure(IndexError::out_of_order));
}

// The checkout that the test was started in.
string root() {
  string path = ".";
  for (int up = 0; up < 6; up++, path += "/..") {
    if (std::ifstream(path + "/t/unit/playlists/vod-ts.m3u8")) return path;
  }
  return ".";
}

std::vector<string> corpus() {
  std::vector<string> texts;
  for (const char *name : {"byteranges.m3u8", "carriage-returns.m3u8", "delta-update.m3u8", "images.m3u8",
                           "iptv.m3u", "keys.m3u8", "live-cue.m3u8", "low-latency.m3u8", "multivariant.m3u8",
                           "sloppy.m3u8", "variables.m3u8", "vod-ts.m3u8"}) {
    std::ifstream file(root() + "/t/unit/playlists/" + name, std::ios::binary);
    string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    tap::check(!text.empty(), string("found ") + name);
    texts.push_back(text);
  }
  return texts;
}

string variables_of_tests() {
  hls::Variables variables;
  variables.define("host", "https://cdn.example");
  return variables.encode();
}

void check_splits() {
  std::mt19937 random(1);
  for (const string &text : corpus()) {
    PlaylistIndex whole;
    IndexError error = hls::index_playlist(fixture::url(kBase), fixture::url(kBase), variables_of_tests(),
                                           text, whole);
    for (int round = 0; round < 40; round++) {
      hls::PlaylistIndexer indexer(fixture::url(kBase), fixture::url(kBase), variables_of_tests());
      IndexError split_error = IndexError::none;
      for (std::size_t at = 0; at < text.size() && split_error == IndexError::none;) {
        std::size_t size = round == 0 ? 1 : 1 + random() % (round < 20 ? 7 : 200);
        string piece = text.substr(at, size);
        split_error = indexer.feed(piece);
        at += size;
      }
      PlaylistIndex split;
      if (split_error == IndexError::none) split_error = indexer.finish(split);
      if (!tap::check(split_error == error && split == whole, "split")) return;
    }
  }
}

void check_serialise() {
  for (const string &text : corpus()) {
    PlaylistIndex index;
    if (hls::index_playlist(fixture::url(kBase), fixture::url(kBase), {}, text,
                            index) != IndexError::none) continue;
    for (bool urls : {true, false}) {
      const string bytes = index.serialise(urls);
      PlaylistIndex read;
      tap::check(PlaylistIndex::deserialise(bytes, read), "reads what it wrote");
      if (urls) tap::check(read == index, "the same index");
      tap::equal("the same bytes", read.serialise(urls), bytes);
      tap::check(urls || bytes.find("example") == bytes.npos, "no URL");
      tap::check(read.parent() == hls::position_parent(fixture::url(kBase)), "its parent");
      bool cut = false;
      for (std::size_t size = 0; size < bytes.size(); size++) {
        cut = cut || PlaylistIndex::deserialise(bytes.substr(0, size), read);
      }
      tap::check(!cut && !PlaylistIndex::deserialise(bytes + "x", read), "cut or longer");
      for (std::size_t i = 0; i < bytes.size() * 8; i++) {
        string other = bytes;
        other[i / 8] = static_cast<char>(other[i / 8] ^ 1 << i % 8);
        PlaylistIndex changed;
        if (PlaylistIndex::deserialise(other, changed) && changed.serialise(urls) != other) {
          tap::check(false, "bit " + std::to_string(i));
        }
      }
    }
  }
}

// Every link with a position that the rewriter writes stands at that position in the index.
void check_rewriter() {
  std::size_t placed = 0;
  for (const string &text : corpus()) {
    fixture::Case c;
    c.base = kBase;
    c.playlist = text;
    fixture::Outcome outcome = fixture::rewrite(c);
    PlaylistIndex index;
    IndexError error = hls::index_playlist(fixture::url(kBase), fixture::url(kBase), {}, text, index);
    tap::check((outcome.error == hls::RewriteError::none) == (error == IndexError::none), "fail alike");
    fixture::Relay relay(c.hosts);
    string out = outcome.bytes;
    for (std::size_t at = 0; (at = out.find("/hls/media/", at)) != out.npos;) {
      std::size_t end = at;
      while (end < out.size() && fixture::is_link_byte(out[end])) ++end;
      hls::Link link;
      if (relay.open(std::string_view(out).substr(at + 4, end - at - 4), link) == hls::LinkState::ok) {
        tap::check(index.find_address(hls::mark_of(link.url)) != PlaylistIndex::kNone ||
                       out.rfind("DATERANGE", at) > out.rfind('\n',
                                                              at), "indexed: " + string(link.url.text()));
        if (link.at) {
          ++placed;
          const PlaylistIndex::Unit *unit = index.find_unit(link.at->sequence, link.at->part);
          bool hinted = std::any_of(index.hints.begin(), index.hints.end(), [&](const auto &hint) {
            return hint.sequence == link.at->sequence && hint.part == link.at->part &&
                   index.addresses[hint.address].text == link.url.text();
          });
          tap::check(hinted || (unit && index.addresses[unit->address].text == link.url.text()),
                     "at its position");
        }
      }
      at = end;
    }
  }
  tap::check(placed > 30, "links with positions");
}

#define TEST(name)               \
  void test_##name(void **) {    \
    check_##name();              \
    TAP_FINISH();                \
  }
TEST(media)
TEST(variables)
TEST(left_to_children)
TEST(addresses)
TEST(multivariant)
TEST(errors)
TEST(splits)
TEST(serialise)
TEST(rewriter)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_media), cmocka_unit_test(test_variables),
         cmocka_unit_test(test_left_to_children),
         cmocka_unit_test(test_addresses), cmocka_unit_test(test_multivariant),
         cmocka_unit_test(test_errors), cmocka_unit_test(test_splits), cmocka_unit_test(test_serialise),
         cmocka_unit_test(test_rewriter))

#include "link_name.h"

#include <memory>
#include <string>

#include "tap_main.h"

using namespace std::string_literals;
using hls::LinkKind;
using hls::UriKind;

namespace {

constexpr UriKind kPlaylist = UriKind::playlist, kSegment = UriKind::segment, kFragment = UriKind::fragment,
                  kInit = UriKind::init, kKey = UriKind::key, kJson = UriKind::json, kImage = UriKind::image,
                  kAutomatic = UriKind::automatic;
constexpr UriKind kAll[] = {kPlaylist, kSegment, kFragment, kInit, kKey, kJson, kImage, kAutomatic};

struct Name {
  std::string text;
  bool same;
  LinkKind kind;
};

// With a buffer on the heap, as large as it must be: writing behind it is found by the sanitizer.
Name name_of(UriKind kind, const std::string &upstream) {
  std::unique_ptr<char[]> buffer(new char[hls::kMaxLinkName]);
  const hls::LinkName name = hls::link_name(kind, upstream, buffer.get());
  return {std::string(name.text), name.same, name.kind};
}

struct Case {
  UriKind kind;
  std::string upstream, wanted;   // wanted: "=" where it is the same
  LinkKind link = LinkKind::media;
};

constexpr LinkKind kInPlaylists = LinkKind::playlist;

void expect(const Case &c) {
  const Name name = name_of(c.kind, c.upstream);
  const std::string what =
      "kind " + std::to_string(static_cast<int>(c.kind)) + ", " + tap::quoted(c.upstream.substr(0, 60));
  tap::equal(what, name.text, c.wanted == "=" ? c.upstream : c.wanted);
  tap::check(name.same == (c.wanted == "="), what + ": the same or not");
  tap::check(name.kind == c.link, what + ": playlist or media");
}

// By hand, from what players accept: ffmpeg wants an extension that it knows in the path, Shaka and Kodi
// take the container from it.
void check_extensions() {
  const Case cases[] = {
      {kPlaylist, "index.m3u8", "=", kInPlaylists},
      {kPlaylist, "INDEX.M3U8", "=", kInPlaylists},
      {kPlaylist, "list.m3u", "=", kInPlaylists},
      {kPlaylist, "list.php", "list.php.m3u8", kInPlaylists},
      {kPlaylist, "list", "list.m3u8", kInPlaylists},
      {kPlaylist, "", "index.m3u8", kInPlaylists},
      {kPlaylist, "a.ts", "a.ts.m3u8", kInPlaylists},
      {kPlaylist, "m3u8", "m3u8.m3u8", kInPlaylists},
      {kSegment, "seg-1_2~3.ts", "="},
      {kSegment, "SEG.TS", "="},
      {kSegment, "a.m4s", "="},
      {kSegment, "a.mp4", "="},
      {kSegment, "a.aac", "="},
      {kSegment, "a.vtt", "="},
      {kSegment, "a.webvtt", "="},
      {kSegment, "a.mpegts", "="},
      {kSegment, "a.b.c.ts", "="},
      {kSegment, "seg.jpg", "seg.jpg.ts"},
      {kSegment, "a.ts;sid=1", "a.ts_sid_1.ts"},
      {kSegment, "get.php", "get.php.ts"},
      {kSegment, "chunk.bin", "chunk.bin.ts"},
      {kSegment, "seg.html", "seg.html.ts"},
      {kSegment, "seg", "seg.ts"},
      {kSegment, "seg.", "seg..ts"},
      {kSegment, "", "segment.ts"},
      {kSegment, "a.key", "a.key.ts"},
      {kSegment, "a.ts2", "a.ts2.ts"},
      {kSegment, "a.xts", "a.xts.ts"},
      {kSegment, "a.mpegtsx", "a.mpegtsx.ts"},
      {kSegment, "a.mpegtsxx", "a.mpegtsxx.ts"},
      {kSegment, "nested.m3u8", "=", kInPlaylists},
      {kSegment, "a b.m3u8", "a_b.m3u8", kInPlaylists},
      {kFragment, "nested.m3u", "=", kInPlaylists},
      {kFragment, "a.m4s", "="},
      {kFragment, "a.CMFV", "="},
      {kFragment, "a.ts", "="},
      {kFragment, "a.jpg", "a.jpg.mp4"},
      {kFragment, "a", "a.mp4"},
      {kFragment, "", "segment.mp4"},
      {kInit, "init.mp4", "="},
      {kInit, "init", "init.mp4"},
      {kInit, "init.m3u8", "init.m3u8.mp4"},
      {kInit, "", "segment.mp4"},
      {kKey, "k.key", "="},
      {kKey, "k.KEY", "="},
      {kKey, "k.bin", "k.bin.key"},
      {kKey, "k.ts", "k.ts.key"},
      {kKey, "key", "key.key"},
      {kKey, "", "key.key"},
      {kJson, "chapters.json", "="},
      {kJson, "chapters", "chapters.json"},
      {kJson, "", "data.json"},
      {kImage, "a.png", "="},
      {kImage, "a.JPEG", "="},
      {kImage, "a.svg", "a.svg.jpg"},
      {kImage, "", "image.jpg"},
      {kAutomatic, "ad.m3u8", "=", kInPlaylists},
      {kAutomatic, "ad.mp4", "=", kInPlaylists},
      {kAutomatic, "assets.json", "=", kInPlaylists},
      {kAutomatic, "logo.png", "=", kInPlaylists},
      {kAutomatic, "film.mkv", "=", kInPlaylists},
      {kAutomatic, "film.webm", "=", kInPlaylists},
      {kAutomatic, "x.php", "x.php.m3u8", kInPlaylists},
      {kAutomatic, "x.key", "x.key.m3u8", kInPlaylists},
      {kAutomatic, "", "index.m3u8", kInPlaylists},
  };
  for (const Case &c : cases) expect(c);
}

// What is not plainly safe in a URL: RFC 3986 2.3 for the bytes, 3.3 and hidden files for the dots.
void check_unsafe_names() {
  const Case cases[] = {
      {kSegment, "a b.ts", "a_b.ts"},
      {kSegment, "a%20b.ts", "a_20b.ts"},
      {kSegment, "a+b.ts", "a_b.ts"},
      {kSegment, "a,b.ts", "a_b.ts"},
      {kSegment, "a=b&c.ts", "a_b_c.ts"},
      {kSegment, "a:b@c.ts", "a_b_c.ts"},
      {kSegment, "a\xC3\xA9.ts", "a__.ts"},
      {kSegment, "a\0b.ts"s, "a_b.ts"},
      {kSegment, "a.t%73", "a.t_73.ts"},
      {kSegment, "a.\0ts"s, "a._ts.ts"},
      {kSegment, "a.\x14s", "a._s.ts"},   // 't' without the bits that make it a letter
      {kKey, "a.\0\0\0key"s, "a.___key.key"},
      {kSegment, "{$x}.ts", "__x_.ts"},
      {kSegment, "..ts", "segment.ts"},
      {kSegment, ".ts", "segment.ts"},
      {kSegment, ".a.ts", "a.ts"},
      {kSegment, "....a.ts", "a.ts"},
      {kSegment, ".", "segment.ts"},
      {kSegment, "..", "segment.ts"},
      {kSegment, "...", "segment.ts"},
      {kPlaylist, ".m3u8", "index.m3u8", kInPlaylists},
      {kPlaylist, "..", "index.m3u8", kInPlaylists},
      {kKey, ".key", "key.key"},
      {kInit, "..mp4", "segment.mp4"},
      {kJson, ".json", "data.json"},
      {kImage, "..png", "image.png"},
      {kAutomatic, ".mp4", "index.mp4", kInPlaylists},
      {kSegment, "~.ts", "="},
      {kSegment, "-.ts", "="},
      {kSegment, "_", "_.ts"},
  };
  for (const Case &c : cases) expect(c);
}

void check_long_names() {
  const std::string a300(300, 'a');
  const Case cases[] = {
      {kSegment, std::string(125, 'a') + ".ts", "="},
      {kSegment, std::string(126, 'a') + ".ts", std::string(125, 'a') + ".ts"},
      {kSegment, a300 + ".ts", std::string(125, 'a') + ".ts"},
      {kSegment, a300 + ".webvtt", std::string(121, 'a') + ".webvtt"},
      {kSegment, a300, std::string(125, 'a') + ".ts"},
      {kSegment, std::string(128, 'a'), std::string(125, 'a') + ".ts"},
      {kSegment, std::string(300, '%') + ".TS", std::string(125, '_') + ".TS"},
      {kSegment, std::string(300, '.') + "a.ts", "a.ts"},
      {kSegment, std::string(300, '.'), "segment.ts"},
      {kPlaylist, a300 + ".php", std::string(123, 'a') + ".m3u8", kInPlaylists},
      {kKey, a300, std::string(124, 'a') + ".key"},
      {kAutomatic, a300 + ".jpeg", std::string(123, 'a') + ".jpeg", kInPlaylists},
      {kSegment, std::string(6000, 'x') + ".m4s", std::string(124, 'x') + ".m4s"},
  };
  for (const Case &c : cases) expect(c);
}

// Every name of up to three bytes from those that matter, alone and before an extension, for every kind.
void check_rules() {
  const std::string bytes = "a.%\0 /\xFF~"s;
  unsigned wrong = 0, changed = 0;
  auto look_at = [&](const std::string &upstream) {
    for (UriKind kind : kAll) {
      const Name name = name_of(kind, upstream);
      wrong += name.same != (name.text == upstream);
      wrong += !hls::is_link_name(name.text) || name.text[0] == '.';
      wrong += name.text.find('.') == name.text.npos;
      const bool playlist = kind == kPlaylist || kind == kAutomatic ||
                            ((kind == kSegment || kind == kFragment) &&
                             name.text.find(".m3u8") != name.text.npos);
      wrong += (name.kind == LinkKind::playlist) != playlist;
      changed += !name.same;
    }
  };
  for (const char *end : {"", ".ts", ".m3u8", ".key", ".mp4", ".php", ".json", ".png"}) {
    for (std::size_t n = 0; n < bytes.size() * bytes.size() * bytes.size(); n++) {
      const std::string stem = {bytes[n % bytes.size()], bytes[n / bytes.size() % bytes.size()],
                                bytes[n / bytes.size() / bytes.size()]};
      for (std::size_t size = 0; size <= 3; size++) look_at(stem.substr(0, size) + end);
    }
  }
  tap::equal("names against the rules", wrong, 0);
  tap::check(changed > 1000, "many had to be changed");
}

// Each set names one resource: a URL has one name under all of its kinds.
void check_one_name() {
  for (const char *upstream : {"a.ts", "a.m4s", "a.mp4", "a b.mp4", ".mp4", "A.M4S", "a.cmfv", "a.vtt"}) {
    const Name wanted = name_of(kSegment, upstream);
    for (UriKind kind : {kFragment, kInit}) {
      const Name name = name_of(kind, upstream);
      tap::check(name.text == wanted.text && name.kind == wanted.kind, "segment, MAP: "s + upstream);
    }
  }
  for (const char *upstream : {"", "a", "a.php", "a%20b", "..", "a.key", "a.json"}) {
    tap::equal("fragment and MAP", name_of(kFragment, upstream).text, name_of(kInit, upstream).text);
    if (upstream != "a.json"s) {
      tap::equal("playlist and automatic", name_of(kAutomatic, upstream).text,
                 name_of(kPlaylist, upstream).text);
    }
  }
  for (const char *upstream : {"a.m3u8", "a b.m3u8", "A.M3U", ".m3u8"}) {
    tap::equal("playlist and automatic", name_of(kAutomatic, upstream).text,
               name_of(kPlaylist, upstream).text);
  }
}

void check_is_media_name() {
  for (const char *name : {"a.ts", "a.MP4", "a.mkv", "a.webm", "a.m2ts", "a b.ts", "x.y.vtt"}) {
    tap::check(hls::is_media_name(name), name);
  }
  for (const char *name : {"", "a", "ts", "a.m3u8", "a.key", "a.json", "a.jpg", "a.php", "a.ts.txt", "a."}) {
    tap::check(!hls::is_media_name(name), "no media: "s + name);
  }
}

void check_is_link_name() {
  for (const std::string &name : {"a"s, "a.ts"s, "a..ts"s, "-._~"s, std::string(128, 'a')}) {
    tap::check(hls::is_link_name(name), name);
  }
  for (const std::string &name : {""s, "."s, ".."s, ".ts"s, "a/b"s, "a b"s, "a%20"s, "a\0"s, "\xC3\xA9"s,
                                  "a+b"s, "a?b"s, "a\\b"s,
                                  std::string(129, 'a'), std::string(100'000, 'a')}) {
    tap::check(!hls::is_link_name(name), "no name: " + tap::quoted(name.substr(0, 20)));
  }
}

void test_extensions(void **) { check_extensions(); TAP_FINISH(); }
void test_unsafe_names(void **) { check_unsafe_names(); TAP_FINISH(); }
void test_long_names(void **) { check_long_names(); TAP_FINISH(); }
void test_rules(void **) { check_rules(); TAP_FINISH(); }
void test_one_name(void **) { check_one_name(); TAP_FINISH(); }
void test_is_media_name(void **) { check_is_media_name(); TAP_FINISH(); }
void test_is_link_name(void **) { check_is_link_name(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_extensions), cmocka_unit_test(test_unsafe_names),
         cmocka_unit_test(test_long_names), cmocka_unit_test(test_rules), cmocka_unit_test(test_one_name),
         cmocka_unit_test(test_is_media_name), cmocka_unit_test(test_is_link_name))

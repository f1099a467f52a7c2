// What references mean and what is written for them: schemes, RFC 3986 section 5, and the shape that players
// ask of a link.

#include <set>

#include "playlist_fixture.h"

using fixture::Case;
using hls::RewriteError;

namespace {

#define UP "https://up.example/live/ch1/"
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"

// One reference, in a tag that takes any and adds nothing to its link.
Case map(std::string name, std::string reference, std::string url) {
  return {name, MEDIA "#EXT-X-MAP:URI=\"" + reference + "\"\n",
          MEDIA "#EXT-X-MAP:URI=\"" + (url.empty() ? reference : "[media " + url + "]") + "\"\n"};
}

Case kept(std::string name, std::string reference) { return map(name, reference, ""); }

Case hosts(Case c, std::string pattern) {
  c.hosts = pattern;
  return c;
}

const std::vector<Case> kCases = {
    // Schemes.
    map("http and https in any case", "HTTPS://UP.Example/W.ts", "https://up.example/W.ts"),
    map("http", "HtTp://Up.example:8080/W.ts", "http://up.example:8080/W.ts"),
    map("scheme-relative", "//cdn.example/f.ts", "https://cdn.example/f.ts"),
    map("relative", "f.ts", UP "f.ts"),
    kept("data:", "data:text/plain;base64,AAA="),
    kept("DATA: in capitals", "DATA:,https://x.example/"),
    kept("skd:", "skd://id"),
    kept("urn:", "urn:uuid:1"),
    kept("com.apple scheme", "com.apple.fps.1:x"),
    kept("marlin:", "marlin:x"),
    kept("ms3:", "ms3://x"),
    kept("blob:", "blob:https://x.example/1"),
    kept("file:", "file:///etc/passwd"),
    kept("ftp:", "ftp://x.example/"),
    kept("rtmp:", "rtmp://x.example/"),
    kept("udp:", "udp://x.example:1"),
    kept("crypto+http:", "crypto+https://x.example/"),
    kept("concat:", "concat:a|b"),
    kept("subfile:", "subfile:x"),
    map("ffmpeg's options make a path of a scheme", "subfile,,start,0:x", UP "subfile,,start,0:x"),
    kept("javascript:", "javascript:alert(1)"),
    kept("empty", ""),
    kept("fragment only", "#x"),
    kept("t:u.ts is of scheme t", "t:u.ts"),
    map("./t:u.ts is relative", "./t:u.ts", UP "t:u.ts"),
    map("another path of ours", "https://proxy.example/hls/mediax", "https://proxy.example/hls/mediax"),
    map("a path like ours is upstream's", "/hls/media/x/a.ts", "https://up.example/hls/media/x/a.ts"),
    map("a host that begins like ours", "https://proxy.example.evil.example/hls/media/a.ts",
        "https://proxy.example.evil.example/hls/media/a.ts"),

    // RFC 3986 section 5.
    map("dot segments", "./b.ts", UP "b.ts"),
    map("dot segments inside", "x/./j.ts", UP "x/j.ts"),
    map("dot-dot segments inside", "x/../k.ts", UP "k.ts"),
    map("above the root", "../../../../d.ts", "https://up.example/d.ts"),
    map("path-absolute", "/e.ts", "https://up.example/e.ts"),
    map("query only: the path of the base", "?g=1", "https://up.example/live/ch1/index.m3u8?g=1"),
    map("the query of the base is dropped", "a.ts", UP "a.ts"),
    map("fragments are not sent", "h.ts#frag", UP "h.ts"),
    map("dots in a query", "l.ts?q=/../m", UP "l.ts?q=/../m"),
    map("%2e%2e is no dot segment", "%2e%2e/n.ts", UP "%2e%2e/n.ts"),
    map("nothing is decoded or encoded anew", "a%2Fb%20c+d~e==%2f.ts", UP "a%2Fb%20c+d~e==%2f.ts"),
    map("what is no URI is escaped", "p q|r{y}\\^`<>.ts", UP "p%20q%7Cr%7By%7D%5C%5E%60%3C%3E.ts"),
    map("brackets", "a[1].ts", UP "a[1].ts"),
    map("double slashes", "dir//x.ts", UP "dir//x.ts"),
    map("a URL in the path", "p/https://o.example//x.ts", UP "p/https://o.example//x.ts"),
    map("Kodi's options are part of the URL", "s.ts|User-Agent=a&Referer=b",
        UP "s.ts%7CUser-Agent=a&Referer=b"),
    map("controls are escaped", "a\tb\x7f.ts", UP "a%09b%7F.ts"),
    map("a tab does not hide a scheme", "ht\ttps://x.example/a", UP "ht%09tps://x.example/a"),
    map("backslashes are no slashes", "\\\\h.example\\a", UP "%5C%5Ch.example%5Ca"),
    map("no path", "https://o.example", "https://o.example/"),
    map("no path but a query", "https://o.example?x", "https://o.example/?x"),
    map("user information and port", "https://u:p@o.example:8443/a", "https://u:p@o.example:8443/a"),
    {"no host: a link that opens to nothing", MEDIA "#EXT-X-MAP:URI=\"https:///a\"\nhttp:a\nhttps://a b/\n",
     MEDIA "#EXT-X-MAP:URI=\"[media unusable]\"\n[media unusable]\n[media unusable]\n"},

    // The form of links.
    {"lines and attributes get a path, asset URIs scheme and host, too",
     MEDIA "#EXT-X-RENDITION-REPORT:URI=\"r\"\n#EXT-X-DATERANGE:X-ASSET-URI=\"r\"\nr\n",
     MEDIA "#EXT-X-RENDITION-REPORT:URI=\"[playlist " UP "r]\"\n#EXT-X-DATERANGE:X-ASSET-URI=\"[playlist! " UP
           "r]\"\n[media " UP "r at=0]\n"},
    {"a dead asset URI has scheme and host, too", MEDIA "#EXT-X-DATERANGE:X-ASSET-URI=\"http://\"\n",
     MEDIA "#EXT-X-DATERANGE:X-ASSET-URI=\"[playlist! unusable]\"\n"},
    hosts(map("hosts of the source", "https://a.up.example/x", "https://a.up.example/x"), ".up.example"),
    hosts({"another host gets no signature", MEDIA "#EXT-X-MAP:URI=\"//evil.example/x\"\n",
           MEDIA "#EXT-X-MAP:URI=\"[media unsigned https://evil.example/x]\"\n"}, ".up.example"),
};

std::string link_of(std::string_view reference, std::string_view base, std::string_view before) {
  Case c{"", std::string(before) + "#EXT-X-MAP:URI=\"" + std::string(reference) + "\"\n", ""};
  c.base = base;
  std::string out = fixture::rewrite(c).bytes;
  std::size_t from = out.rfind("URI=\"");
  return from == out.npos ? "" : out.substr(from + 5, out.rfind('"') - from - 5);
}

// RFC 8216bis 6.3.4: players compare the URIs of reloads and halt, or fetch again, where they differ.
void check_same_link() {
  constexpr std::string_view base = UP "index.m3u8";
  std::string link = link_of("seg.mp4?a=1", base, MEDIA);
  for (std::string_view reference : {"./seg.mp4?a=1", "../ch1/seg.mp4?a=1", "/live/ch1/seg.mp4?a=1",
                                     "//UP.example/live/ch1/seg.mp4?a=1",
                                     "HTTPS://up.EXAMPLE/live/ch1/seg.mp4?a=1#f"}) {
    tap::equal(std::string(reference), link_of(reference, base, MEDIA), link);
  }
  tap::equal("another playlist", link_of("../ch1/seg.mp4?a=1", "https://up.example/live/ch2/b.m3u8?x",
             "#EXTM3U\n"),
             link);
  tap::equal("behind other lines", link_of("seg.mp4?a=1", base, MEDIA "https://o.example/1.mp4\nx/y/z.mp4\n"),
             link);

  std::set<std::string> links;
  const std::string_view different[] = {
      "a.mp4", "a.mp4?", "a.mp4?b", "a.mp4?b=", "A.mp4", "b/a.mp4", "b//a.mp4", "a%2Emp4",
      "http://up.example/live/ch1/a.mp4",
      "https://up.example:8443/live/ch1/a.mp4", "https://u@up.example/live/ch1/a.mp4", "//a.example/a.mp4",
      "//b.example/a.mp4", "a.mp4/", "a,mp4", "a%2Cmp4", "a", "a.", "?a.mp4", "/a.mp4"};
  for (std::string_view reference : different) links.insert(link_of(reference, base, MEDIA));
  tap::equal("different URLs", static_cast<long long>(links.size()),
             static_cast<long long>(std::size(different)));
}

void test_same_link(void **) {
  check_same_link();
  TAP_FINISH();
}

// One upstream URL has one link under every tag that may name it.
void check_tags_agree() {
  const char *pairs[][3] = {
      {"EXT-X-PRELOAD-HINT and EXT-X-PART", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p\"\n",
       "#EXT-X-PART:URI=\"p\"\n"},
      {"EXT-X-PRELOAD-HINT and EXT-X-MAP", "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"m\"\n",
       "#EXT-X-MAP:URI=\"m\"\n"},
      {"EXT-X-PRELOAD-HINT and EXT-X-KEY", "#EXT-X-PRELOAD-HINT:TYPE=KEY,URI=\"k\"\n",
       "#EXT-X-KEY:URI=\"k\"\n"},
      {"EXT-X-SESSION-KEY and EXT-X-KEY", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"k\"\n",
       "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"},
      {"EXT-X-RENDITION-REPORT and EXT-X-MEDIA", "#EXT-X-RENDITION-REPORT:URI=\"r\"\n",
       "#EXT-X-MEDIA:URI=\"r\"\n"},
      {"X-URI and X-ASSET-LIST", "#EXT-X-DATERANGE:X-URI=\"l\"\n", "#EXT-X-DATERANGE:X-ASSET-LIST=\"l\"\n"},
      {"X-URI and X-ASSET-URI", "#EXT-X-DATERANGE:X-URI=\"l\"\n", "#EXT-X-DATERANGE:X-ASSET-URI=\"l\"\n"},
      {"EXT-X-MAP and a byte-range segment", "#EXT-X-MAP:URI=\"f.mp4\"\n",
       "#EXT-X-MAP:URI=\"x\"\n#EXT-X-BYTERANGE:9@9\nf.mp4\n"},
  };
  auto last_link = [](const char *text) {
    std::string out = fixture::rewrite(Case{"", text, ""}).bytes;
    std::size_t from = out.rfind("/hls/");
    std::size_t end = std::min(out.find('"', from), out.find('\n', from));
    return out.substr(from, end - from);
  };
  for (const auto &pair : pairs) tap::equal(pair[0], last_link(pair[1]), last_link(pair[2]));
  std::string line = last_link("#EXT-X-STREAM-INF:BANDWIDTH=1\nr\n");
  tap::equal("EXT-X-RENDITION-REPORT and EXT-X-STREAM-INF", last_link("#EXT-X-RENDITION-REPORT:URI=\"r\"\n"),
             line);
}

void test_tags_agree(void **) {
  check_tags_agree();
  TAP_FINISH();
}

// Safe in quotes, without quotes and as a line; and shorter than ffmpeg's 4096 bytes.
void check_form() {
  std::string reference = "\xC3\xA9 {$}|'(),;:@[]!*&=+$~%20%2f\\^`<>.mp4?q={$}\"";
  Case c{"", MEDIA + reference + "\n#EXT-X-PREFETCH:" + reference + "\n", ""};
  std::string out = fixture::rewrite(c).bytes;
  std::string_view rest = std::string_view(out).substr(std::string_view(MEDIA).size());
  std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  tap::check(std::all_of(line.begin(), line.end(), fixture::is_link_byte), "bytes of a line");
  std::string_view path = line.substr(0, line.find('?'));
  tap::equal("extension at the end of the path", path.substr(path.rfind('.')), ".mp4");
  tap::equal("no second '?'", static_cast<long long>(line.find('?', path.size() + 1)),
             static_cast<long long>(line.npos));

  // A real-world token: 1.5 KB of query.
  out = fixture::rewrite(Case{"", MEDIA "seg-1.ts?token=" + std::string(1500, 'A') + "\n", ""}).bytes;
  tap::check(out.size() < 4096 - 100, "length with a long token");
}

// hls.js compares paths over reloads: no expiry, signature or position in them.
void check_path() {
  auto path = [](std::uint64_t exp, const char *lines) {
    fixture::Relay relay;
    relay.scope().media_exp = exp;
    hls::LinkWriter links(relay.scope());
    std::string out = fixture::rewrite(links, Case{"", std::string(MEDIA) + lines + "a.ts?token=1\n", ""},
        {}).bytes;
    std::size_t at = out.rfind("/hls/");
    return out.substr(at, out.find('?', at) - at);
  };
  tap::equal("another expiry, another position", path(fixture::kNow + 1, "#EXT-X-MEDIA-SEQUENCE:9\n"),
             path(fixture::kNow + 2, ""));
}

void test_path(void **) {
  check_path();
  TAP_FINISH();
}

void test_form(void **) {
  check_form();
  TAP_FINISH();
}

// A playlist that went through once is not changed again where its links are absolute.
void check_idempotent() {
  Case once{"", MEDIA "#EXT-X-DATERANGE:X-ASSET-URI=\"a\"\n", ""};
  Case twice{"", fixture::rewrite(once).bytes, ""};
  tap::equal("twice", fixture::rewrite(twice).bytes, twice.playlist);
  Case ours{"", MEDIA "https://proxy.example/hls/media/x/a.ts?u=1\n"
      "#EXT-X-MAP:URI=\"https://proxy.example/hls/"
                      "playlist/x/a.m3u8\"\n", ""};
  tap::equal("links of ours", fixture::rewrite(ours).bytes, ours.playlist);

  fixture::Relay relay;
  relay.scope().base = "https://other.example/x";
  hls::LinkWriter links(relay.scope());
  Case absolute{"", MEDIA "https://other.example/x/media/s/a.ts\nhttps://other.example/x/a.ts\n", ""};
  std::string out = fixture::rewrite(links, absolute, {}).bytes;
  tap::check(out.find("https://other.example/x/media/s/a.ts\n") != out.npos, "a link below an absolute base");
  tap::check(out.find("https://other.example/x/a.ts\n") == out.npos, "beside it");
}

void test_idempotent(void **) {
  check_idempotent();
  TAP_FINISH();
}

}  // namespace

int main() {
  return fixture::run(kCases, {cmocka_unit_test(test_same_link), cmocka_unit_test(test_tags_agree),
                               cmocka_unit_test(test_form), cmocka_unit_test(test_path),
                               cmocka_unit_test(test_idempotent)});
}

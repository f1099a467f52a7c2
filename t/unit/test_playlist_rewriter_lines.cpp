// How playlists are written: line ends, blanks, quotes, what RFC 8216bis section 4.1 and 4.2 forbid and
// players read all the same; and the limits.

#include "playlist_fixture.h"

using fixture::Case;
using hls::RewriteError;

namespace {

#define UP "https://up.example/live/ch1/"
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"

constexpr std::size_t kMaxLine = hls::PlaylistRewriter::kMaxLine;
constexpr std::size_t kMaxUrl = hls::LinkWriter::kMaxUrl;

Case same(std::string name, std::string text) { return {name, text, text}; }

Case error(std::string name, std::string playlist, std::string wanted, RewriteError e, std::uint64_t line) {
  return {name, playlist, wanted, e, line};
}

std::string x(std::size_t n) { return std::string(n, 'x'); }
std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

std::string blanks(std::size_t n) { return std::string(n, ' '); }
using namespace std::string_literals;

const std::vector<Case> kCases = {
    // Line ends.
    {"LF", "#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts\nb.ts\n",
     "#EXTM3U\n#EXT-X-TARGETDURATION:4\n[media " UP "a.ts at=0]\n[media " UP "b.ts at=1]\n"},
    {"CR LF", "#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\na.ts\r\nb.ts\r\n",
     "#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n[media " UP "a.ts at=0]\r\n[media " UP "b.ts at=1]\r\n"},
    {"bare CR ends a line, as most players have it", "#EXTM3U\r#EXT-X-MAP:URI=\"i.mp4\"\ra.m4s\rb.m4s",
     "#EXTM3U\r#EXT-X-MAP:URI=\"[media " UP "i.mp4]\"\r[media " UP "a.m4s at=0]\r[media " UP "b.m4s at=1]"},
    {"mixed line ends and blank lines", "#EXTM3U\r\r\n\n#EXT-X-TARGETDURATION:4\n\r\na.ts\r\r\nb.ts\n\r",
     "#EXTM3U\r\r\n\n#EXT-X-TARGETDURATION:4\n\r\n[media " UP "a.ts at=0]\r\r\n[media " UP "b.ts at=1]\n\r"},
    {"VT, FF, NEL, U+2028, FS, GS and RS end no line",
     MEDIA "a\x0b\x0c\x1c\x1d\x1e\xC2\x85\xE2\x80\xA8" "b.ts\n#EXTINF:1,"
           "\x0b/no.example/\xE2\x80\xA8no\n",
     MEDIA "[media " UP "a%0B%0C%1C%1D%1E%C2%85%E2%80%A8" "b.ts at=0]\n"
           "#EXTINF:1,\x0b/no.example/\xE2\x80\xA8no\n"},
    same("empty", ""),
    same("line ends only", "\n\r\n\r"),
    same("an empty playlist is an empty multivariant playlist", "#EXTM3U"),
    {"no line end at the end", MEDIA "#EXTINF:4,\na.ts", MEDIA "#EXTINF:4,\n[media " UP "a.ts at=0]"},
    {"attribute line at the end without line end", "#EXTM3U\n#EXT-X-MEDIA:URI=\"a.m3u8\"",
     "#EXTM3U\n#EXT-X-MEDIA:URI=\"[playlist " UP "a.m3u8]\""},

    // Before and behind.
    {"a byte order mark is copied and is no part of the first line", "\xEF\xBB\xBF" "a.ts\n",
     "\xEF\xBB\xBF" "[playlist " UP "a.ts]\n"},
    {"half a byte order mark is text", "\xEF\xBB" "a.ts\n", "[playlist " UP "%EF%BBa.ts]\n"},
    {"half a byte order mark is all there is", "\xEF", "[playlist " UP "%EF]"},
    {"a second byte order mark is text", "\xEF\xBB\xBF\xEF\xBB\xBF#EXTM3U\n",
     "\xEF\xBB\xBF[playlist " UP "%EF%BB%BF]\n"},
    {"blank lines before EXTM3U", "\n \t\n#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts\n",
     "\n \t\n#EXTM3U\n#EXT-X-TARGETDURATION:4\n[media " UP "a.ts at=0]\n"},
    same("text behind EXTM3U", "#EXTM3U \t x=\"https://x.example/\n"),
    {"blanks around a URI line", MEDIA " \t a b.ts \t \n", MEDIA " \t [media " UP "a%20b.ts at=0] \t \n"},
    {"blanks before '#'", "  #EXTM3U\n \t#EXT-X-MEDIA:URI=\"a.m3u8\"\n #EXT-X-STREAM-INF:BANDWIDTH=1\nb\n"
     " # no\n",
     "  #EXTM3U\n \t#EXT-X-MEDIA:URI=\"[playlist " UP "a.m3u8]\"\n #EXT-X-STREAM-INF:BANDWIDTH=1\n[playlist "
     UP
     "b]\n # no\n"},
    same("comments", "#\n##EXT-X-KEY:URI=\"a\"\n# EXT-X-KEY:URI=\"b\"\n#ext-x-key:URI=\"c\"\n#E\n#EX\n#EXT\n"
         "#EXT:\n"),

    // Names of tags are exact.
    same("names that begin or end like a tag's",
         MEDIA "#EXT-X-KEYS:URI=\"a\"\n#EXT-X-MEDIA-READY:URI=\"a\"\n#EXT-X-KE:URI=\"a\"\n"
               "#EXT-X-KEY2:URI=\"a\"\n"
               "#XEXT-X-KEY:URI=\"a\"\n#EXT-X-KEY :URI=\"a\"\n#EXT-X-KEY,URI=\"a\"\n#EXT-X-KEY\tURI=\"a\"\n"
               "#EXT-X-Key:URI=\"a\"\n#EXT-X-KEY\n#EXT-X-KEY:\n"),
    {"blanks behind a tag's name", "#EXTM3U\n#EXT-X-ENDLIST \t \na.ts\n",
     "#EXTM3U\n#EXT-X-ENDLIST \t \n[media " UP "a.ts at=0]\n"},
    {"ExoPlayer takes EXT-X-STREAM-INF without attributes", "#EXT-X-STREAM-INF\na.ts\n",
     "#EXT-X-STREAM-INF\n[playlist " UP "a.ts]\n"},

    // Attribute lists.
    {"comma, '=', single quote and URI= inside quotes",
     "#EXTM3U\n#EXT-X-MEDIA:NAME=\"a,URI='x',URI=y,b=\",GROUP-ID=\"URI=\",URI=\"a,b='c'.m3u8\"\n",
     "#EXTM3U\n#EXT-X-MEDIA:NAME=\"a,URI='x',URI=y,b=\",GROUP-ID=\"URI=\",URI=\"[playlist " UP
     "a,b='c'.m3u8]\"\n"},
    {"names that end in URI", MEDIA "#EXT-X-DATERANGE:X-COM-URI=\"a\",X-ASSET-URI=\"b\",COM-X-URI=\"c\","
     "URI=\"d\"\n",
     MEDIA "#EXT-X-DATERANGE:X-COM-URI=\"a\",X-ASSET-URI=\"[playlist! " UP
     "b]\",COM-X-URI=\"c\",URI=\"d\"\n"},
    same("lower-case attribute name", MEDIA "#EXT-X-MAP:uri=\"a.mp4\",Uri=\"b.mp4\"\n"),
    {"duplicate attributes: some players take the first, some the last",
     MEDIA "#EXT-X-MAP:URI=\"a.mp4\",URI=\"b.mp4\"\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a.mp4]\",URI=\"[media " UP "b.mp4]\"\n"},
    {"blanks around name, '=', value and comma", MEDIA "#EXT-X-MAP: \tA = \"x\" , URI\t= \" a.mp4 \" , B=1\n",
     MEDIA "#EXT-X-MAP: \tA = \"x\" , URI\t= \" [media " UP "a.mp4] \" , B=1\n"},
    {"unquoted URI ends at a comma or blank", MEDIA "#EXT-X-MAP:URI=a.mp4,B=1\n#EXT-X-MAP:URI=b.mp4 x\n",
     MEDIA "#EXT-X-MAP:URI=[media " UP "a.mp4],B=1\n#EXT-X-MAP:URI=[media " UP "b.mp4] x\n"},
    {"single quotes do not quote", MEDIA "#EXT-X-MAP:URI='a,b.mp4'\n", MEDIA "#EXT-X-MAP:URI=[media " UP
     "'a],b.mp4'\n"},
    {"a backslash escapes nothing", MEDIA "#EXT-X-MAP:URI=\"a\\\",URI=\"b\\\"\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a%5C]\",URI=\"[media " UP "b%5C]\"\n"},
    {"text behind the closing quote is copied", MEDIA "#EXT-X-MAP:URI=\"a.mp4\"junk,URI=\"b.mp4\" junk\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a.mp4]\"junk,URI=\"[media " UP "b.mp4]\" junk\n"},
    {"ffmpeg reads on behind a closing quote or a blank",
     MEDIA "#EXT-X-MAP:URI=\"a.mp4\"URI=\"b.mp4\"\n#EXT-X-MAP:A=1 URI=\"c.mp4\"\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a.mp4]\"URI=\"[media " UP "b.mp4]\"\n"
           "#EXT-X-MAP:A=1 URI=\"[media " UP "c.mp4]\"\n"},
    {"a value without a name", MEDIA "#EXT-X-MAP:=\"x\",URI=\"a\",=y\n", MEDIA "#EXT-X-MAP:=\"x\","
     "URI=\"[media " UP
     "a]\",=y\n"},
    same("empty values", MEDIA "#EXT-X-MAP:URI=\"\"\n#EXT-X-MAP:URI=\n#EXT-X-MAP:URI= ,A=1\n"
         "#EXT-X-MAP:URI=\" \"\n"),
    error("unterminated quote around a URI", MEDIA "#EXT-X-MAP:URI=\"a.mp4\n", MEDIA,
          RewriteError::unterminated_quote, 3),
    error("unterminated quote around the second URI", MEDIA "#EXT-X-MAP:URI=\"a.mp4\",URI=\"b.mp4\n",
          MEDIA "#EXT-X-MAP:URI=\"[media " UP "a.mp4]", RewriteError::unterminated_quote, 3),
    same("unterminated quote in another attribute runs to the line's end",
         MEDIA "#EXT-X-MAP:A=\"x,URI=b.mp4\n#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"x,URI=\n"),
    same("unterminated quote around a DRM's URI",
         MEDIA "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"com.widevine\",URI=\"data:,x\n"),
    error("the playlist ends inside the quote", MEDIA "#EXT-X-MAP:URI=\"a.mp", MEDIA,
          RewriteError::unterminated_quote, 3),

    // Bytes.
    {"UTF-8 and Latin-1 in a URI are escaped as they are", MEDIA "\xC3\xA9.ts\n\xE9.ts\n",
     MEDIA "[media " UP "%C3%A9.ts at=0]\n[media " UP "%E9.ts at=1]\n"},
    same("UTF-8 elsewhere", MEDIA "#EXTINF:4,\xC3\xA9 \xF0\x9F\x8E\xAC\n# \xE9\n"),
    error("NUL in a URI line: ffmpeg takes what is before it", MEDIA "a\0.ts\n"s, MEDIA,
          RewriteError::nul_in_uri, 3),
    error("NUL in a URI attribute", MEDIA "#EXT-X-MAP:URI=\"a\0\"\n"s, MEDIA,
          RewriteError::nul_in_uri, 3),
    same("NUL elsewhere", MEDIA "#\0\n#EXTINF:4,\0\n#EXT-X-KEY:METHOD=\"\0\"\n"s),
    {"the playlist ends inside a character", MEDIA "\xE2\x80", MEDIA "[media " UP "%E2%80 at=0]"},

    // Limits.
    same("a comment of any length", MEDIA "#" + x(3 * kMaxLine) + "\n# \n"),
    same("an unknown tag of any length", MEDIA "#EXT-X-UNKNOWN:URI=\"" + x(3 * kMaxLine)),
    same("a tag name of any length", MEDIA "#EXT" + x(3 * kMaxLine) + ":URI=\"a\"\n"),
    {"EXTINF with a giant title counts", "#EXTINF:4," + x(2 * kMaxLine) + "\r\na\n",
     "#EXTINF:4," + x(2 * kMaxLine) + "\r\n[media " UP "a at=0]\n"},
    {"a giant EXT-X-SKIP counts",
     MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=7,RECENTLY-REMOVED-DATERANGES=\"" + x(kMaxLine) + "\"\na.ts\n",
     MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=7,RECENTLY-REMOVED-DATERANGES=\"" + x(kMaxLine) + "\"\n[media " UP
           "a.ts at=7]\n"},
    {"a giant EXT-X-STREAM-INF counts", "#EXT-X-STREAM-INF:" + x(kMaxLine) + "\na.ts\n",
     "#EXT-X-STREAM-INF:" + x(kMaxLine) + "\n[playlist " UP "a.ts]\n"},
    {"a giant EXT-X-CONTENT-STEERING vanishes",
     MEDIA "#EXT-X-CONTENT-STEERING:" + x(2 * kMaxLine) + "\r\n#\n",
     MEDIA "#\n"},
    error("a URI line over the limit", MEDIA "data:," + x(kMaxLine) + "\n", MEDIA,
          RewriteError::line_too_long, 3),
    error("a tag with URIs over the limit",
          MEDIA "#EXT-X-DATERANGE:ID=\"" + x(kMaxLine) + "\",X-ASSET-URI=\"a\"\n", MEDIA,
          RewriteError::line_too_long, 3),
    error("a tag with URIs over the limit at the end of the playlist", MEDIA "#EXT-X-MAP:URI=\""
          + x(kMaxLine),
          MEDIA, RewriteError::line_too_long, 3),
    error("EXT-X-DEFINE over the limit", MEDIA "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"," + x(kMaxLine) + "\n",
          MEDIA,
          RewriteError::line_too_long, 3),
    same("data: URIs up to the limit", MEDIA "#EXT-X-MAP:URI=\"data:," + x(kMaxLine - 23) + "\"\n"),
    error("data: URI one byte over the limit", MEDIA "#EXT-X-MAP:URI=\"data:," + x(kMaxLine - 22) + "\"\n",
          MEDIA,
          RewriteError::line_too_long, 3),
    {"a line of just the limit",
     MEDIA "#EXT-X-MAP:URI=\"a\"," + x(kMaxLine - 19) + "\r\na\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a]\"," + x(kMaxLine - 19) + "\r\n[media " UP "a at=0]\n"},
    same("blanks of any length", blanks(3 * kMaxLine) + "\n" + blanks(kMaxLine + 1)),
    {"blanks up to the limit before a URI", MEDIA + blanks(kMaxLine - 4) + "a.ts\n",
     MEDIA + blanks(kMaxLine - 4) + "[media " UP "a.ts at=0]\n"},
    error("more blanks than the limit before a URI", MEDIA + blanks(kMaxLine - 3) + "a.ts\n", MEDIA,
          RewriteError::line_too_long, 3),
    error("something behind more blanks than the limit",
          MEDIA + blanks(2 * kMaxLine) + "#EXT-X-MAP:URI=\"a\"\n",
          MEDIA + blanks(2 * kMaxLine), RewriteError::line_too_long, 3),
    error("a URI over the limit before it is resolved", MEDIA + ("a/../" + x(kMaxUrl - 4)) + "\n", MEDIA,
          RewriteError::uri_too_long, 3),
    error("a URI that is over the limit only before it is resolved", MEDIA + repeated("a/../",
          kMaxUrl / 5) + "ab.ts\n",
          MEDIA, RewriteError::uri_too_long, 3),
    error("a URI over the limit when it is resolved", MEDIA + x(kMaxUrl - 27) + "\n", MEDIA,
          RewriteError::uri_too_long, 3),
    {"a URI of just the limit", MEDIA + x(kMaxUrl - 28) + "\n", MEDIA "[media "
     UP + x(kMaxUrl - 28) + " at=0]\n"},
    same("what is no URL over HTTP may be as long as a line",
         MEDIA "data:," + x(kMaxLine - 6) + "\n#" + x(9) + "\nurn:" + x(kMaxUrl) + "\n#EXT-X-MAP:URI=\"#"
               + x(kMaxUrl) +
             "\"\n"),
    {"one tag with 16 URIs", MEDIA "#EXT-X-MAP:" + repeated("URI=\"a\",", 16) + "\n",
     MEDIA "#EXT-X-MAP:" + repeated("URI=\"[media " UP "a]\",", 16) + "\n"},
    error("one tag with too many URIs", MEDIA "#EXT-X-MAP:" + repeated("URI=\"a\",", 17) + "\n", MEDIA,
          RewriteError::too_many_uris, 3),
    {"the line of an error counts every kind of line end", "#EXTM3U\n\n#\r\n#\r#\r\r#EXT-X-MAP:URI=\"a\n",
     "#EXTM3U\n\n#\r\n#\r#\r\r", RewriteError::unterminated_quote, 7},
};

/// Says that it is full once it holds `limit` bytes.
class Limited : public hls::Output {
public:
  explicit Limited(std::size_t limit) : limit_(limit) { next_window(0); }
  std::size_t size() const { return bytes_ + static_cast<std::size_t>(pos_ - window_.data()); }

private:
  void next_window(std::size_t) override {
    if (pos_) bytes_ = size();
    pos_ = window_.data();
    end_ = pos_ + window_.size();
    low_water_ = bytes_ + window_.size() > limit_ ? bytes_ + window_.size() - limit_ : 0;
  }

  std::size_t limit_, bytes_ = 0;
  std::array<char, kMaxReserve> window_;
};

struct Stream {
  fixture::Relay relay;
  hls::LinkWriter links{relay.scope()};
  hls::Url base;
  hls::PlaylistRewriter rewriter{links, (hls::parse_url(UP "i.m3u8", base), base), ""};

  std::size_t feed(std::string_view in, hls::Output &out) {
    std::size_t size = in.size();
    tap::check(rewriter.feed(in, out) == RewriteError::none, "no error");
    return size - in.size();
  }
};

// Memory stays bounded where nothing of a playlist is of interest, too.
void check_full() {
  Stream stream;
  Limited out(20000);
  std::string comments = repeated("# 0123456789\n", 100000);
  std::size_t used = stream.feed(comments, out);
  tap::check(used >= 20000 && used <= 20000 + 4096 + 13, "stops soon after the output is full");
  tap::equal("at a line boundary", static_cast<long long>(used % 13), 0);
  tap::equal("what was used is written", static_cast<long long>(out.size()), static_cast<long long>(used));

  Stream lines;
  Limited none(0);
  tap::equal("one line at a time", static_cast<long long>(lines.feed("a.ts\nb.ts\n", none)), 5);
}

void test_full(void **) {
  check_full();
  TAP_FINISH();
}

// What need not be held goes on at once.
void check_passing() {
  Stream stream;
  Limited out(1000000);
  std::size_t written = 0;
  auto passed = [&](std::string_view piece) {
    stream.feed(piece, out);
    std::size_t before = written;
    written = out.size();
    return static_cast<long long>(written - before);
  };
  tap::equal("a comment", passed("# 0123456789"), 12);
  tap::equal("more of it", passed("0123456789"), 10);
  tap::equal("an unknown tag", passed("\n#EXT-X-UNKNOWN:"), 16);
  tap::equal("a name that may be one", passed("\n#EXT-X-ENDLIST"), 1);
  tap::equal("a name that is none", passed("S:"), 16);
  tap::equal("a tag that is known", passed("\n#EXTINF:"), 1);
  tap::equal("its end", passed("9,"), 0);
  tap::equal("the line's end", passed("\n"), 11);
  tap::equal("a URI", passed("a"), 0);
}

void test_passing(void **) {
  check_passing();
  TAP_FINISH();
}

}  // namespace

int main() { return fixture::run(kCases, {cmocka_unit_test(test_full), cmocka_unit_test(test_passing)}); }

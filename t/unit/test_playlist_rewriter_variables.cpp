// EXT-X-DEFINE (RFC 8216bis 4.3 and 4.4.2.3): expanded here, since the player's URL is not upstream's and a
// child playlist's answer does not hold its parent's values.

#include "playlist_fixture.h"

using fixture::Case;
using hls::RewriteError;
using namespace std::string_literals;

namespace {

#define UP "https://up.example/live/ch1/"
#define DEFINE(name, value) "#EXT-X-DEFINE:NAME=\"" name "\",VALUE=\"" value "\"\n"
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"

Case same(std::string name, std::string text) { return {name, text, text}; }

Case unknown(std::string name, std::string before, std::string line) {
  return {name, before + line, before, RewriteError::unknown_variable,
          static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n') + 1)};
}

Case with_base(Case c, std::string base) {
  c.base = base;
  return c;
}

Case inheriting(Case c, fixture::Definitions inherited) {
  c.inherited = inherited;
  return c;
}

std::string x(std::size_t n) { return std::string(n, 'x'); }

std::string repeated(std::string_view text, int times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

const std::vector<Case> kCases = {
    // Substitution.
    {"4.3 in URI lines and quoted URIs, anywhere, several times",
     "#EXTM3U\n" DEFINE("a", "https://o.example") DEFINE("b-_9", "x/y") MEDIA
     "{$a}/{$b-_9}/{$b-_9}.ts?{$b-_9}\n#EXT-X-MAP:URI=\"{$b-_9}{$a}\"\n#EXT-X-PREFETCH:{$a}\n",
     "#EXTM3U\n" DEFINE("a", "https://o.example") DEFINE("b-_9", "x/y") MEDIA
     "[media https://o.example/x/y/x/y.ts?x/y at=0]\n#EXT-X-MAP:URI=\"[media " UP
     "x/yhttps://o.example]\"\n#EXT-X-PREFETCH:[media https://o.example/]\n"},
    {"4.3 in an unquoted URI, as hls.js has it", DEFINE("a", "x") MEDIA "#EXT-X-MAP:URI={$a}.mp4,B=1\n",
     DEFINE("a", "x") MEDIA "#EXT-X-MAP:URI=[media " UP "x.mp4],B=1\n"},
    same("4.3 other attributes are the player's to expand",
         DEFINE("a", "x") MEDIA "#EXT-X-DATERANGE:ID=\"{$a}\",CLASS=\"{$none}\"\n#EXTINF:4,{$a}\n"),
    {"4.3 the result is not searched again: a value that ends in '{'",
     DEFINE("a", "x{") DEFINE("b", "y") MEDIA "{$a}$b}.ts\n",
     DEFINE("a", "x{") DEFINE("b", "y") MEDIA "[media " UP "x%7B$b%7D.ts at=0]\n"},
    {"4.3 what is no reference is text", DEFINE("a", "x") MEDIA "{a}{$}{$ a}${a}{$a\n{$a.}{{$a}}\n",
     DEFINE("a", "x") MEDIA "[media " UP "%7Ba%7D%7B$%7D%7B$%20a%7D$%7Ba%7D%7B$a at=0]\n[media " UP
     "%7B$a.%7D%7Bx%7D at=1]\n"},
    {"4.3 %7B$a%7D is no reference", DEFINE("a", "x") MEDIA "%7B$a%7D\n",
     DEFINE("a", "x") MEDIA "[media " UP "%7B$a%7D at=0]\n"},
    unknown("4.3 names are case-sensitive", DEFINE("a", "x") MEDIA, "{$A}\n"),
    unknown("4.3 unknown variable in a URI line", MEDIA, "{$a}.ts\n"),
    unknown("4.3 unknown variable in a URI attribute", MEDIA, "#EXT-X-MAP:URI=\"a{$a}\"\n"),
    unknown("4.3 unknown variable beside a known one", DEFINE("a", "x") MEDIA, "{$a}{$b}\n"),
    unknown("4.3 unknown variable behind another scheme", MEDIA, "skd:{$a}\n"),
    unknown("4.4.2.3 a definition stands before its use", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
            "{$a}\n" DEFINE("a", "x")),
    same("4.3 unknown variable where no URI is rewritten",
         MEDIA "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://{$a}\","
               "KEYFORMAT=\"com.apple.streamingkeydelivery\"\n"
               "#EXT-X-SESSION-DATA:DATA-ID=\"{$b}\",VALUE=\"{$c}\"\n"),
    same("a reference that expands to another scheme, or to nothing, stays as it was",
         DEFINE("a", "data:,") DEFINE("b", "") MEDIA "{$a}x\n#EXT-X-MAP:URI=\"{$b}\"\n"),
    {"a value with blanks around it", DEFINE("a", " x ") MEDIA "{$a}\n",
     DEFINE("a", " x ") MEDIA "[media " UP "x at=0]\n"},
    {"4.4.4.4 KEYFORMAT is a quoted string, too", DEFINE("a", "identity") MEDIA
     "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"{$a}\"\n",
     DEFINE("a", "identity") MEDIA "#EXT-X-KEY:METHOD=AES-128,URI=\"[media " UP "k]\",KEYFORMAT=\"{$a}\"\n"},

    {"4.4.4.4 KEYFORMAT with an unknown variable", MEDIA "#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"{$a}\","
     "URI=\"k\"\n",
     MEDIA "#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"{$a}\",URI=\"[media " UP "k]\"\n"},

    // Definitions.
    {"4.4.2.3 VALUE may use earlier variables",
     DEFINE("a", "x") DEFINE("b", "{$a}{$a}") DEFINE("a", "y") MEDIA "{$a}{$b}\n",
     DEFINE("a", "x") DEFINE("b", "{$a}{$a}") DEFINE("a", "y") MEDIA "[media " UP "yxx at=0]\n"},
    unknown("4.4.2.3 VALUE with an unknown variable defines nothing", DEFINE("b", "{$a}") MEDIA, "{$b}\n"),
    unknown("4.4.2.3 NAME without VALUE defines nothing", "#EXT-X-DEFINE:NAME=\"a\"\n" MEDIA, "{$a}\n"),
    unknown("4.4.2.3 a name of other characters defines nothing", DEFINE("a.b", "x") DEFINE("", "x") MEDIA,
            "{$a}\n"),
    {"4.4.2.3 blanks, order and other attributes", "#EXT-X-DEFINE: VALUE = \"x,y\" ,X=1, NAME = \"a\"\n"
     MEDIA "{$a}\n",
     "#EXT-X-DEFINE: VALUE = \"x,y\" ,X=1, NAME = \"a\"\n" MEDIA "[media " UP "x,y at=0]\n"},

    // IMPORT.
    inheriting({"4.4.2.3 IMPORT takes the multivariant playlist's value",
                MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n{$a}.ts\n",
                MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n[media https://o.example/p.ts at=0]\n"},
               {{"a", "https://o.example/p"}, {"b", "y"}}),
    inheriting(unknown("4.4.2.3 what is not imported is unknown", MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n",
               "{$b}\n"),
               {{"a", "x"}, {"b", "y"}}),
    inheriting(unknown("4.4.2.3 IMPORT of what the multivariant playlist did not define",
                       MEDIA "#EXT-X-DEFINE:IMPORT=\"c\"\n", "{$c}\n"), {{"a", "x"}}),
    same("4.4.2.3 IMPORT without a parent, used by no URI", MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\na:{\n"),

    // QUERYPARAM.
    with_base({"4.4.2.3 QUERYPARAM becomes NAME and VALUE: the player's URL has another query",
               MEDIA " #EXT-X-DEFINE:QUERYPARAM=\"tok\" \r\n{$tok}\r\n",
               MEDIA " #EXT-X-DEFINE:NAME=\"tok\",VALUE=\"A/B+ \xC3\xA9\"\r\n[media " UP
               "A/B+%20%C3%A9 at=0]\r\n"},
              UP "index.m3u8?a=1&t%6Fk=A%2FB+%20%C3%A9&tok=2"),
    with_base({"4.4.2.3 QUERYPARAM without a value", MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\nx{$tok}\n",
               MEDIA "#EXT-X-DEFINE:NAME=\"tok\",VALUE=\"\"\n[media " UP "x at=0]\n"},
              UP "index.m3u8?tok"),
    unknown("4.4.2.3 QUERYPARAM that is not in the query",
            MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", "{$a}\n"),
    same("4.4.2.3 QUERYPARAM that is not in the query and not used",
         MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n"),
    with_base(unknown("QUERYPARAM with a quote would end the value", MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n",
                      "{$a}\n"), UP "i?a=x%22,B=%22"),
    with_base(unknown("QUERYPARAM with a line end would begin a line",
              MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n",
                      "{$a}\n"), UP "i?a=x%0Ahttps://o.example"),
    with_base(unknown("QUERYPARAM with CR", MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", "{$a}\n"),
              UP "i?a=%0d"),
    with_base(unknown("QUERYPARAM with DEL", MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", "{$a}\n"),
              UP "i?a=%7F"),
    with_base(unknown("QUERYPARAM with NUL", MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", "{$a}\n"),
              UP "i?a=%00"),
    with_base(unknown("QUERYPARAM with a reference: as VALUE it would be expanded",
                      DEFINE("b", "y") MEDIA "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", "{$a}\n"), UP "i?a={$b}"),

    // What children get.
    {"multivariant: children get what is defined so far, media does not",
     "#EXTM3U\n#EXT-X-MEDIA:URI=\"0\"\n" DEFINE("a", "x") "#EXT-X-STREAM-INF:BANDWIDTH=1\n{$a}\n"
     "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXT-X-MEDIA:URI=\"2\"\n#EXT-X-SESSION-KEY:METHOD=AES-128,"
     "URI=\"{$a}\"\n"
     "stray\n",
     "#EXTM3U\n#EXT-X-MEDIA:URI=\"[playlist " UP "0]\"\n" DEFINE("a", "x")
     "#EXT-X-STREAM-INF:BANDWIDTH=1\n[playlist " UP "x v=a:x]\n" DEFINE("tok", "A/B")
     "#EXT-X-MEDIA:URI=\"[playlist " UP "2 v=a:x,tok:A/B]\"\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"[media "
     UP "x]\"\n[playlist " UP "stray v=a:x,tok:A/B]\n"},
    inheriting({"a media playlist hands on what it got, not what it defines",
                MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n" DEFINE("c", "z")
                "#EXT-X-RENDITION-REPORT:URI=\"{$c}\"\n#EXT-X-DATERANGE:X-ASSET-URI=\"{$a}\"\n#EXTINF:4,\n"
                "{$a}\n",
                MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n" DEFINE("c", "z")
                "#EXT-X-RENDITION-REPORT:URI=\"[playlist " UP "z v=a:x,b:y]\"\n"
                "#EXT-X-DATERANGE:X-ASSET-URI=\"[playlist! " UP "x v=a:x,b:y]\"\n#EXTINF:4,\n[media " UP
                "x at=0]\n"},
               {{"a", "x"}, {"b", "y"}}),
    {"a media playlist that got nothing hands on nothing",
     MEDIA DEFINE("a", "x") "#EXT-X-RENDITION-REPORT:URI=\"{$a}\"\n",
     MEDIA DEFINE("a", "x") "#EXT-X-RENDITION-REPORT:URI=\"[playlist " UP "x]\"\n"},
    inheriting({"a multivariant playlist hands on its own only",
                "#EXTM3U\n#EXT-X-MEDIA:URI=\"0\"\n" DEFINE("c", "z") "#EXT-X-MEDIA:URI=\"1\"\n",
                "#EXTM3U\n#EXT-X-MEDIA:URI=\"[playlist " UP "0]\"\n" DEFINE("c", "z")
                "#EXT-X-MEDIA:URI=\"[playlist " UP "1 v=c:z]\"\n"},
               {{"a", "x"}}),
    {"plain lines may be playlists", DEFINE("a", "x") "{$a}\n",
     DEFINE("a", "x") "[playlist " UP "x v=a:x]\n"},

    // Limits. 1536 bytes in base64url are 2048 characters; name and value have a length of one or two bytes.
    {"variables up to the limit",
     "#EXT-X-DEFINE:NAME=\"z\",VALUE=\"" + x(1532) + "\"\n#EXT-X-STREAM-INF\na\n",
     "#EXT-X-DEFINE:NAME=\"z\",VALUE=\"" + x(1532) + "\"\n#EXT-X-STREAM-INF\n[playlist " UP "a]\n"},
    {"variables over the limit", "#EXTM3U\n#EXT-X-DEFINE:NAME=\"z\",VALUE=\"" + x(1533) + "\"\n", "#EXTM3U\n",
     RewriteError::too_many_variables, 2},
    {"variables that double with every line",
     DEFINE("a", "xxxxxxxxxxxxxxxx") + repeated(DEFINE("a", "{$a}{$a}"), 6) + DEFINE("a", "{$a}{$a}"),
     DEFINE("a", "xxxxxxxxxxxxxxxx") + repeated(DEFINE("a", "{$a}{$a}"), 6), RewriteError::too_many_variables,
         8},
    {"imported and own variables count together",
     MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n#EXT-X-DEFINE:NAME=\"b\",VALUE=\"" + x(800) + "\"\n",
     MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n", RewriteError::too_many_variables, 4,
     "https://up.example/", {{"a", x(800)}}},
    {"more definitions than there can be variables", repeated(DEFINE("a", "x"), 1025),
     repeated(DEFINE("a", "x"), 1024), RewriteError::too_many_variables, 1025},
    {"a URI that expands beyond the limit", DEFINE("a", "xxxxxxxx") MEDIA + repeated("{$a}", 800) + "\n",
     DEFINE("a", "xxxxxxxx") MEDIA, RewriteError::uri_too_long, 4},
    {"URIs of one tag that together expand beyond a line: 1500 times 11, but not 10",
     "#EXT-X-DEFINE:NAME=\"z\",VALUE=\"" + x(1500) + "\"\n#EXT-X-MAP:" + repeated("URI=\"data:{$z}\",", 10) +
         "\n#EXT-X-MAP:" + repeated("URI=\"data:{$z}\",", 11) + "\n",
     "#EXT-X-DEFINE:NAME=\"z\",VALUE=\"" + x(1500) + "\"\n#EXT-X-MAP:" + repeated("URI=\"data:{$z}\",",
     10) + "\n",
     RewriteError::uri_too_long, 3},
    {"the limit of one line is not that of the playlist",
     DEFINE("a", "urn:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") + repeated("{$a}{$a}{$a}{$a}{$a}\n", 100),
     DEFINE("a", "urn:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") + repeated("{$a}{$a}{$a}{$a}{$a}\n", 100)},
    {"NUL from a variable", DEFINE("a", "x\0") MEDIA "{$a}\n"s,
     DEFINE("a", "x\0") MEDIA ""s, RewriteError::nul_in_uri, 4},
};

// From the multivariant playlist through the link to the media playlist.
void check_round_trip() {
  fixture::Relay relay;
  hls::LinkWriter links(relay.scope());
  Case parent{"", "#EXTM3U\n" DEFINE("a", "x\xC3\xA9 ,{") "#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n", ""};
  std::string out = fixture::rewrite(links, parent, {}).bytes;
  std::size_t at = out.rfind("/hls/");
  hls::Link link;
  hls::LinkState state = relay.open(std::string_view(out).substr(at + 4, out.find('\n', at) - at - 4), link);
  tap::check(state == hls::LinkState::ok, "the link opens");

  hls::PlaylistRewriter child(links, link.url, link.variables);
  fixture::Collector collected;
  std::string_view in = MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n{$a}$\n";
  tap::check(child.feed(in, collected) == RewriteError::none, "the child is rewritten");
  tap::equal("child", fixture::show(Case{"", "", "", {}, 0, UP "low.m3u8"}, collected.take()),
             MEDIA "#EXT-X-DEFINE:IMPORT=\"a\"\n[media " UP "x%C3%A9%20,%7B$ at=0]\n");
}

void test_round_trip(void **) {
  check_round_trip();
  TAP_FINISH();
}

// A v that encode() did not write is as none.
void check_broken_inheritance() {
  fixture::Relay relay;
  hls::LinkWriter links(relay.scope());
  hls::Url base;
  hls::parse_url(UP "i.m3u8", base);
  hls::PlaylistRewriter rewriter(links, base, "AAA");
  fixture::Collector collected;
  std::string_view in = MEDIA "#EXT-X-RENDITION-REPORT:URI=\"r\"\n";
  tap::check(rewriter.feed(in, collected) == RewriteError::none, "is rewritten");
  tap::equal("hands on nothing", fixture::show(Case{}, collected.take()),
             MEDIA "#EXT-X-RENDITION-REPORT:URI=\"[playlist " UP "r]\"\n");
}

void test_broken_inheritance(void **) {
  check_broken_inheritance();
  TAP_FINISH();
}

}  // namespace

int main() {
  return fixture::run(kCases, {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_broken_inheritance)});
}

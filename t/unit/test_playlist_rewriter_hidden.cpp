// What a player that reads the same bytes otherwise would fetch: refused, in whatever pieces it comes.

#include "playlist_fixture.h"

using fixture::Case;
using hls::RewriteError;
using namespace std::string_literals;

namespace {

#define UP "https://up.example/live/ch1/"
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
#define DEFINE(name, value) "#EXT-X-DEFINE:NAME=\"" name "\",VALUE=\"" value "\"\n"

constexpr std::size_t kMaxLine = hls::PlaylistRewriter::kMaxLine;

Case same(std::string name, std::string text) { return {name, text, text}; }

Case refused(std::string name, std::string line, RewriteError e = RewriteError::hidden_line) {
  return {name, MEDIA + line, MEDIA, e, 3};
}

Case ambiguous(std::string name, std::string line) {
  return refused(name, line, RewriteError::ambiguous_attribute);
}

std::string x(std::size_t n) { return std::string(n, 'x'); }

const std::vector<Case> kCases = {
    // Lines.
    refused("ffmpeg ends a line at NUL: a comment", "#c\0http://no.example/\n"s),
    refused("ffmpeg ends a line at NUL: a title", "#EXTINF:4,t\0http://no.example/a.ts\n"s),
    refused("hls.js ends a comment at U+2028", "#c\xE2\x80\xA8http://no.example/\n"),
    refused("hls.js ends a title at U+2029", "#EXTINF:4,t\xE2\x80\xA9//no.example/\n"),
    refused("Python ends a line at VT: a comment", "# \v https://no.example/\n"),
    refused("Python ends a line at FS: a tag", "#EXT-X-VERSION:3\x1Chttps://no.example/\n"),
    refused("Python ends a line at NEL: an unknown tag", "#EXT-X-UNKNOWN:\xC2\x85https://no.example/\n"),
    refused("a tag behind NUL", "#c\0#EXT-X-KEY:METHOD=NONE\n"s),
    refused("at the end of the playlist", "#c\vhttps://no.example/"),
    refused("in a tag with a URI", "#EXT-X-MAP:URI=\"a\",A=\"\vhttps://no.example/\"\n"),
    refused("in a URI that is copied", "data:,\vhttps://no.example/\n"),
    refused("in a long comment", "#" + x(3 * kMaxLine) + "\v//no.example/" + x(kMaxLine)),
    refused("in a long unknown tag", "#EXT-X-UNKNOWN:" + x(kMaxLine - 18) + "\v//no.example/\n"),
    refused("in a long title", "#EXTINF:4," + x(2 * kMaxLine) + "\v//no.example/\n"),
    refused("behind many blanks", "#\v" + std::string(2 * kMaxLine, ' ') + "//no.example/\n"),
    {"in a URI that becomes a link", MEDIA "a\v//b\n", MEDIA "[media " UP "a%0B//b at=0]\n"},
    {"in a URI attribute that becomes a link", MEDIA "#EXT-X-MAP:URI=\"a\vb//\xE2\x80\xA8/c\"\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "a%0Bb//%E2%80%A8/c]\"\n"},
    same("text, or what stays with the relay, behind the same bytes",
         MEDIA "#c\0d\v/a.ts\xE2\x80\xA8""b.ts \xC2\x85 c d: //\n#EXTINF:4,\x1C#c\n#EXT-X-VERSION:\f3\n"s),
    {"tags that vanish hide nothing", MEDIA "#EXT-X-CONTENT-STEERING:A=\"\v//no.example\"\n#\n", MEDIA "#\n"},

    // Segments of hls.js.
    refused("a URI behind a duration", "#EXTINF:4 http://no.example/a.ts\n"),
    refused("a URI right behind a duration", "#EXTINF:4.5//no.example/a.ts\n"),
    refused("a URI in place of a duration", "#EXTINF:https://no.example/a.ts\n"),
    refused("a URI behind a long duration",
            "#EXTINF:4" + std::string(2 * kMaxLine, ' ') + "//no.example/a.ts\n"),
    refused("a URI as the last word of the playlist's last line", "#EXTINF:4,a https://no.example/a.ts"),
    refused("the same in a long title", "#EXTINF:4,a " + x(2 * kMaxLine) + " https://no.example/a.ts"),
    same("URLs in a title", MEDIA "#EXTINF:4,a https://no.example/a.ts\n#EXTINF:4,https://no.example/a.ts"),
    same("IPTV pairs", MEDIA "#EXTINF:-1 tvg-logo=\"https://no.example/a.png\" a=\"//b\",t \n"),

    // Tags of hls.js.
    refused("EXT-X-MEDIA in a comment",
            "# x #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"https://no.example/a\"\n"),
    refused("EXT-X-MEDIA in a comment of two '#'", "##EXT-X-MEDIA:TYPE=AUDIO,URI=//no.example/a\n"),
    refused("EXT-X-MEDIA in a value",
            "#EXT-X-SESSION-DATA:VALUE=\"#EXT-X-MEDIA:URI=https://no.example/,X=\"\n"),
    refused("EXT-X-I-FRAME-STREAM-INF in a comment",
            "#c#EXT-X-I-FRAME-STREAM-INF:URI=\"https://no.example/\"\n"),
    refused("EXT-X-CONTENT-STEERING in a comment",
            "# #EXT-X-CONTENT-STEERING:SERVER-URI=\"https://no.example/\"\n"),
    refused("EXT-X-SESSION-KEY in a long comment",
            "#" + x(kMaxLine - 5) + "#EXT-X-SESSION-KEY:" + x(kMaxLine) + ",URI=\"https://no.example/\"\n"),
    refused("EXT-X-MEDIA in a URI that is copied", "data:,#EXT-X-MEDIA:URI=//no.example/\n"),
    same("tags that are commented out and relative",
         MEDIA "##EXT-X-MEDIA-SEQUENCE:3 //\n##EXT-X-MEDIA:TYPE=AUDIO,URI=\"a/b.m3u8\"\n"
               "# #EXT-X-MAP:URI=\"https://no.example/\"\n"),

    // Attributes.
    {"a blank before the quote",
     "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME= \"foo,URI=\"http://no.example/x\n",
     "#EXTM3U\n", RewriteError::ambiguous_attribute, 2},
    ambiguous("a backslash before the quote", "#EXT-X-MAP:A=\"\\\",B=\",URI=\"http://no.example/i\"\n"),
    ambiguous("VT before a name", "#EXT-X-MAP:\vURI=\"http://no.example\"\n"),
    ambiguous("FF before a name", "#EXT-X-KEY:METHOD=AES-128,\fURI=\"http://no.example/k.key\"\n"),
    ambiguous("NBSP before a name", "#EXT-X-MAP:\xC2\xA0URI=\"http://no.example/i.mp4\"\n"),
    ambiguous("beside one that is found", "#EXT-X-MAP:URI=\"a\",\xC2\xA0URI=\"http://no.example/i.mp4\"\n"),
    ambiguous("in a dated range", "#EXT-X-DATERANGE:ID= \"a,X-ASSET-LIST=\"http://no.example/i\"\n"),
    ambiguous("behind a DRM's key, which is copied",
              "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"com.widevine\","
              "URI=\"data:,URI=http://no.example/k\"\n"),
    ambiguous("a backslash before the quote of a URI that is copied",
              "#EXT-X-MAP:URI=\"data:,\\\",A=\",URI=\"http://no.example/i\"\n"),
    ambiguous("in a fragment, which is copied", "#EXT-X-MAP:URI=\"#,URI=http://no.example/i\"\n"),
    {"a variable may be a URL", DEFINE("u", "http://no.example/") "#EXT-X-MAP:A= \"b,URI=\"{$u}\"\n",
     DEFINE("u", "http://no.example/"), RewriteError::ambiguous_attribute, 2},
    {"decoys, and URIs with arguments", MEDIA
     "#EXT-X-MAP:NAME=\"x,URI='y',\",X-COM-URI=\"https://x.example/\","
     "URI=\"https://o.example/?URI=https://p/\"\n",
     MEDIA "#EXT-X-MAP:NAME=\"x,URI='y',\",X-COM-URI=\"https://x.example/\",URI=\"[media "
     "https://o.example/?URI=https://p/]\"\n"},

    // Definitions.
    {"4.4.2.3 a VALUE that is there twice: the variable is not known",
     "#EXT-X-DEFINE:NAME=\"s\",VALUE=\"http\",VALUE=\"skd\"\n{$s}://no.example/\n",
     "#EXT-X-DEFINE:NAME=\"s\",VALUE=\"http\",VALUE=\"skd\"\n", RewriteError::unknown_variable, 2},
    {"4.4.2.3 nor is it any longer",
     DEFINE("s", "skd") "#EXT-X-DEFINE:NAME=\"t\",NAME=\"s\",VALUE=\"http\"\n{$s}://x\n",
     DEFINE("s", "skd") "#EXT-X-DEFINE:NAME=\"t\",NAME=\"s\",VALUE=\"http\"\n",
     RewriteError::unknown_variable, 3},
    {"4.4.2.3 a NAME and an IMPORT", "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\",IMPORT=\"b\"\n{$a}\n",
     "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\",IMPORT=\"b\"\n", RewriteError::unknown_variable, 2},
    {"4.4.2.3 a QUERYPARAM that is there twice",
     "#EXT-X-DEFINE:QUERYPARAM=\"tok\",QUERYPARAM=\"x\"\n{$tok}\n",
     "#EXT-X-DEFINE:QUERYPARAM=\"tok\",QUERYPARAM=\"x\"\n", RewriteError::unknown_variable, 2},
    {"4.4.2.3 it may be defined again",
     "#EXT-X-DEFINE:NAME=\"a\",NAME=\"a\",VALUE=\"x\"\n" DEFINE("a", "y") MEDIA "{$a}\n",
     "#EXT-X-DEFINE:NAME=\"a\",NAME=\"a\",VALUE=\"x\"\n" DEFINE("a", "y") MEDIA "[media " UP "y at=0]\n"},
};

}  // namespace

int main() { return fixture::run(kCases); }

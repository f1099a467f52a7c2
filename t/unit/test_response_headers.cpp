#include "response_headers.h"

#include <cctype>

#include "tap_main.h"

using namespace std::string_view_literals;
using hls::is_body_header;
using hls::is_dropped_header;
using hls::kPlaylistType;
using hls::media_type;

namespace {

// As their specifications write them, several of each family.
constexpr std::string_view kActive[] = {
    "Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Set-Login", "IdP-SignIn-Status",
    "Activate-Storage-Access", "Service-Worker-Allowed", "Accept-CH", "Accept-CH-Lifetime",
    "Critical-CH", "Use-As-Dictionary", "Sec-WebSocket-Accept", "Sec-Session-Registration",
    "Sec-Session-Challenge", "Secure-Session-Registration", "Shared-Storage-Write",
    "Ad-Auction-Signals", "Attribution-Reporting-Register-Source",
    "Attribution-Reporting-Register-Trigger", "Observe-Browsing-Topics", "X-Allow-FLEDGE",
    "Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-Report-Only", "Expect-CT",
    "Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Content-Security-Policy",
    "X-WebKit-CSP", "X-Content-Type-Options", "X-Frame-Options", "X-XSS-Protection",
    "X-Permitted-Cross-Domain-Policies", "X-Download-Options", "Referrer-Policy",
    "Permissions-Policy", "Permissions-Policy-Report-Only", "Feature-Policy", "Document-Policy",
    "Document-Policy-Report-Only", "Document-Isolation-Policy", "Require-Document-Policy",
    "Integrity-Policy", "Integrity-Policy-Report-Only", "Origin-Agent-Cluster", "Origin-Trial",
    "Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy",
    "Cross-Origin-Opener-Policy-Report-Only", "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
    "Access-Control-Allow-Private-Network", "Timing-Allow-Origin", "Allow-CSP-From",
    "Supports-Loading-Mode", "X-UA-Compatible", "X-DNS-Prefetch-Control", "Link", "Refresh",
    "Speculation-Rules", "SourceMap", "X-SourceMap", "NEL", "Report-To", "Reporting-Endpoints",
    "Alt-Svc", "Content-Disposition", "Location", "Content-Location", "Content-Base",
    "WWW-Authenticate", "Optional-WWW-Authenticate", "Authentication-Info",
    "Authentication-Control", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Connection",
    "Proxy-Status", "X-Accel-Redirect", "X-Accel-Buffering", "X-Accel-Charset", "X-Accel-Expires",
    "X-Accel-Limit-Rate", "X-Sendfile", "X-Sendfile2", "X-Sendfile-Temporary",
    "X-LIGHTTPD-send-file", "X-Reproxy-URL", "X-LiteSpeed-Purge", "X-LiteSpeed-Location",
    "X-LiteSpeed-Cache-Control", "Surrogate-Control", "Surrogate-Key", "Edge-Control", "Cache-Tag",
    "X-Cache-Tags", "CDN-Cache-Control", "XKey", "Connection", "Keep-Alive", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade",
};

constexpr std::string_view kPassive[] = {
    "Age", "Date", "Cache-Control", "Expires", "ETag", "Last-Modified", "Content-Range",
    "Accept-Ranges", "Vary", "Content-Type", "Content-Length", "Content-Encoding",
    "Content-Language", "Retry-After", "Server", "Via", "Warning", "Pragma", "Allow",
    "Server-Timing", "CMSD-Static", "CMSD-Dynamic", "icy-name", "icy-metaint", "X-Cache",
    "Cache-Status", "Priority", "X-Request-Id", "Digest", "",
    // Beginnings and continuations of what is dropped.
    "Set", "Set-Cooki", "Sec", "X-Accel", "Proxy", "Lin", "Links", "Linkset", "Tee", "T", "X-Link",
    "My-Set-Cookie", "Locations", "Refresher", "Expect", "Document", "Accept", "Accept-C",
    "Access-Control", "Content-Securit", "xkeys",
};

std::string in_case(std::string_view name, int (*convert)(int)) {
  std::string text(name);
  for (char &c : text) c = static_cast<char>(convert(static_cast<unsigned char>(c)));
  return text;
}

void check_dropped() {
  for (std::string_view name : kActive) {
    tap::check(is_dropped_header(name), "drops " + std::string(name));
    tap::check(is_dropped_header(in_case(name, std::tolower)), "drops " + in_case(name, std::tolower));
    tap::check(is_dropped_header(in_case(name, std::toupper)), "drops " + in_case(name, std::toupper));
  }
  for (std::string_view name : kPassive) {
    tap::check(!is_dropped_header(name), "keeps " + std::string(name));
    tap::check(!is_dropped_header(in_case(name, std::toupper)), "keeps " + in_case(name, std::toupper));
  }
  tap::check(!is_dropped_header("\xff"), "keeps a byte above all names");
  tap::check(!is_dropped_header(std::string(100000, 'x')), "keeps a long name");
  tap::check(!is_dropped_header("Link\0"sv), "a NUL does not end a name");
}

void check_body_headers() {
  for (std::string_view name :
       {"Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified",
        "Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Unencoded-Digest", "Signature",
        "Signature-Input", "X-Goog-Hash", "X-Goog-Stored-Content-Length", "X-Goog-Stored-Content-Encoding",
        "x-amz-checksum-crc32", "x-amz-checksum-sha256"}) {
    tap::check(is_body_header(name), "body header " + std::string(name));
    tap::check(is_body_header(in_case(name, std::toupper)), "body header " + in_case(name, std::toupper));
    tap::check(!is_dropped_header(name), "only with the body: " + std::string(name));
  }
  for (std::string_view name :
       {"Age", "Date", "Cache-Control", "Expires", "Vary", "Content-Type", "Content-Language",
        "Want-Digest", "X-Goog-Generation", "x-amz-request-id", "Retry-After", ""}) {
    tap::check(!is_body_header(name), "no body header: " + std::string(name));
  }
}

struct TypeCase {
  std::string_view origin, name, wanted;
};

constexpr std::string_view kOctets = "application/octet-stream";

void check_types(const TypeCase *cases, std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
    const TypeCase &c = cases[i];
    tap::equal(tap::quoted(c.origin) + " for " + tap::quoted(c.name), media_type(c.origin, c.name), c.wanted);
  }
}

void check_listed_types() {
  const TypeCase cases[] = {
      {"video/mp2t", "a.ts", "video/mp2t"},
      {"video/MP2T", "a.ts", "video/mp2t"},
      {" video/mp4\t", "a.m4s", "video/mp4"},
      {"video/mp4; codecs=\"avc1.4d401f\"", "a.mp4", "video/mp4"},
      {"video/iso.segment", "a.m4s", "video/iso.segment"},
      {"audio/aac", "a.aac", "audio/aac"},
      {"audio/mp4", "a.m4s", "audio/mp4"},
      {"audio/mpeg", "a.mp3", "audio/mpeg"},
      {"application/mp4", "a.mp4", "application/mp4"},
      {"application/json;charset=UTF-8", "a.json", "application/json"},
      {"image/jpeg", "a.jpg", "image/jpeg"},
      {"image/jpg", "a.jpg", "image/jpeg"},
      {"image/webp", "a", "image/webp"},
      // The origin was not vague: its name does not count.
      {"image/png", "a.ts", "image/png"},
      {"video/mp4", "page.html", "video/mp4"},
      {"text/vtt", "a.vtt", "text/vtt"},
      {"text/vtt; charset=utf-8", "a.vtt", "text/vtt; charset=utf-8"},
      {"Text/VTT;a=b ; Charset=\"UTF-8\"", "a.vtt", "text/vtt; charset=utf-8"},
      {"text/vtt; charset=utf-16", "a.vtt", "text/vtt"},
      {"text/vtt; charset=utf-8x", "a.vtt", "text/vtt"},
      {"text/vtt; x-charset=utf-8", "a.vtt", "text/vtt"},
      {"text/vtt;", "a.vtt", "text/vtt"},
      {"application/vnd.apple.mpegurl", "a.m3u8", kPlaylistType},
      {"application/x-mpegURL", "a.m3u8", kPlaylistType},
      {"application/x-mpegURL; charset=utf-8", "a.m3u8", kPlaylistType},
      {"audio/mpegurl", "a.m3u", kPlaylistType},
      {"audio/x-mpegurl", "a", kPlaylistType},
      {"vnd.apple.mpegURL", "a", kPlaylistType},
  };
  check_types(cases, sizeof cases / sizeof *cases);
}

void check_vague_types() {
  for (std::string_view vague :
       {"", "  ", ";", "text/plain", "Text/Plain; charset=utf-8", "application/octet-stream",
        "binary/octet-stream", "APPLICATION/octet-stream ; x=y"}) {
    const TypeCase cases[] = {
        {vague, "index.m3u8", kPlaylistType},    {vague, "list.M3U", kPlaylistType},
        {vague, "seg-1.ts", "video/mp2t"},       {vague, "seg.1.TS", "video/mp2t"},
        {vague, "init.mp4", "video/mp4"},        {vague, "1.m4s", "video/mp4"},
        {vague, "1.cmfv", "video/mp4"},          {vague, "1.cmfa", "audio/mp4"},
        {vague, "1.m4a", "audio/mp4"},           {vague, "1.aac", "audio/aac"},
        {vague, "1.ac3", "audio/ac3"},           {vague, "1.ec3", "audio/eac3"},
        {vague, "1.mp3", "audio/mpeg"},          {vague, "en.vtt", "text/vtt"},
        {vague, "en.webvtt", "text/vtt"},        {vague, "en.srt", "application/x-subrip"},
        {vague, "t.jpg", "image/jpeg"},          {vague, "t.png", "image/png"},
        {vague, "chapters.json", "application/json"},
        {vague, ".ts", "video/mp2t"},
        {vague, "aes.key", kOctets},             {vague, "", kOctets},
        {vague, "ts", kOctets},                  {vague, "a.", kOctets},
        {vague, "a.ts;sid=1", kOctets},          {vague, "a.ts.html", kOctets},
        {vague, "a.html", kOctets},              {vague, "a.svg", kOctets},
        {vague, "a.js", kOctets},                {vague, "a.xml", kOctets},
        {vague, "a.mpd", kOctets},               {vague, "a.ttml", kOctets},
        {vague, "a.pdf", kOctets},               {vague, "a.ts\0"sv, kOctets},
    };
    check_types(cases, sizeof cases / sizeof *cases);
  }
}

// What a browser would run or render as a document, and what only looks like a media type.
constexpr std::string_view kRefused[] = {
    "text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "text/xml", "application/xml",
    "image/svg+xml", "application/ttml+xml", "application/dash+xml", "application/rss+xml",
    "text/javascript", "application/javascript", "application/x-javascript",
    "application/ecmascript", "text/css", "application/pdf", "application/x-shockwave-flash",
    "application/java-archive", "application/wasm", "application/manifest+json",
    "application/speculationrules+json", "text/cache-manifest",
    "multipart/x-mixed-replace; boundary=x", "multipart/byteranges; boundary=x", "message/rfc822",
    "application/x-msdownload", "text/event-stream", "video/html", "video/*", "video/", "video",
    "image/svg", "video/mp2t, text/html", "video/mp2t,video/mp2t", "video/mp4 text/html",
    "video/mp4\0"sv, "\xff", "/",
};

void check_refused_types() {
  for (std::string_view type : kRefused) {
    for (std::string_view name : {"a.ts", "a.m3u8", "a.html", ""}) {
      tap::equal(tap::quoted(type) + " for " + tap::quoted(name), media_type(type, name), kOctets);
    }
  }
  tap::equal("a long type", media_type(std::string(1 << 20, 'v'), "a.ts"), kOctets);
  tap::equal("many parameters", media_type("text/vtt" + std::string(1 << 20, ';'), "a"), "text/vtt");
}

void test_dropped(void **) { check_dropped(); TAP_FINISH(); }
void test_body_headers(void **) { check_body_headers(); TAP_FINISH(); }
void test_listed_types(void **) { check_listed_types(); TAP_FINISH(); }
void test_vague_types(void **) { check_vague_types(); TAP_FINISH(); }
void test_refused_types(void **) { check_refused_types(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_dropped), cmocka_unit_test(test_body_headers),
         cmocka_unit_test(test_listed_types), cmocka_unit_test(test_vague_types),
         cmocka_unit_test(test_refused_types))

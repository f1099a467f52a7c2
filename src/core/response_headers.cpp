#include "response_headers.h"

#include <cstddef>

namespace hls {
namespace {

constexpr std::string_view kDefaultType = "application/octet-stream";

// Names are in lower case, tables sorted; the asserts below hold them to it.
constexpr std::string_view kDropped[] = {
    "activate-storage-access",
    "allow-csp-from",
    "alt-svc",
    "cdn-cache-control",
    "clear-site-data",
    "connection",
    "content-base",
    "content-disposition",
    "content-location",
    "critical-ch",
    "edge-control",
    "idp-signin-status",
    "keep-alive",
    "link",
    "location",
    "nel",
    "observe-browsing-topics",
    "optional-www-authenticate",
    "origin-agent-cluster",
    "origin-trial",
    "referrer-policy",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "require-document-policy",
    "set-login",
    "sourcemap",
    "speculation-rules",
    "strict-transport-security",
    "supports-loading-mode",
    "te",
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "use-as-dictionary",
    "www-authenticate",
    "x-allow-fledge",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-sourcemap",
    "x-ua-compatible",
    "x-xss-protection",
    "xkey",
};

constexpr std::string_view kDroppedPrefixes[] = {
    "accept-ch",
    "access-control-",
    "ad-auction-",
    "attribution-reporting-",
    "authentication-",
    "cache-tag",
    "content-security-policy",
    "cross-origin-",
    "document-",
    "expect-",
    "feature-policy",
    "integrity-policy",
    "permissions-policy",
    "proxy-",
    "public-key-pins",
    "sec-",
    "secure-session-",
    "service-worker",
    "set-cookie",
    "shared-storage-",
    "surrogate-",
    "x-accel-",
    "x-cache-tag",
    "x-content-security-policy",
    "x-lighttpd-",
    "x-litespeed-",
    "x-reproxy-",
    "x-sendfile",
    "x-webkit-csp",
};

constexpr std::string_view kBody[] = {
    "accept-ranges",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
    "signature",
    "signature-input",
    "unencoded-digest",
    "x-goog-hash",
};

constexpr std::string_view kBodyPrefixes[] = {
    "x-amz-checksum-",
    "x-goog-stored-content-",
};

struct Mapping {
  std::string_view from, to;
};

// Media types that are declared as what they are; the right side differs for playlists alone.
constexpr Mapping kTypes[] = {
    {"application/json", "application/json"},
    {"application/mp4", "application/mp4"},
    {"application/mpegurl", kPlaylistType},
    {"application/ogg", "application/ogg"},
    {"application/vnd.apple.mpegurl", kPlaylistType},
    {"application/x-mpegurl", kPlaylistType},
    {"application/x-subrip", "application/x-subrip"},
    {"audio/3gpp", "audio/3gpp"},
    {"audio/3gpp2", "audio/3gpp2"},
    {"audio/aac", "audio/aac"},
    {"audio/aacp", "audio/aacp"},
    {"audio/ac3", "audio/ac3"},
    {"audio/ac4", "audio/ac4"},
    {"audio/eac3", "audio/eac3"},
    {"audio/flac", "audio/flac"},
    {"audio/matroska", "audio/matroska"},
    {"audio/mp3", "audio/mp3"},
    {"audio/mp4", "audio/mp4"},
    {"audio/mp4a-latm", "audio/mp4a-latm"},
    {"audio/mpeg", "audio/mpeg"},
    {"audio/mpegurl", kPlaylistType},
    {"audio/ogg", "audio/ogg"},
    {"audio/opus", "audio/opus"},
    {"audio/vnd.dts", "audio/vnd.dts"},
    {"audio/vnd.wave", "audio/vnd.wave"},
    {"audio/wav", "audio/wav"},
    {"audio/wave", "audio/wave"},
    {"audio/webm", "audio/webm"},
    {"audio/x-aac", "audio/x-aac"},
    {"audio/x-ac3", "audio/x-ac3"},
    {"audio/x-flac", "audio/x-flac"},
    {"audio/x-hx-aac-adts", "audio/x-hx-aac-adts"},
    {"audio/x-m4a", "audio/x-m4a"},
    {"audio/x-matroska", "audio/x-matroska"},
    {"audio/x-mpeg", "audio/x-mpeg"},
    {"audio/x-mpegurl", kPlaylistType},
    {"audio/x-wav", "audio/x-wav"},
    {"image/apng", "image/apng"},
    {"image/avif", "image/avif"},
    {"image/bmp", "image/bmp"},
    {"image/gif", "image/gif"},
    {"image/heic", "image/heic"},
    {"image/heif", "image/heif"},
    {"image/jpeg", "image/jpeg"},
    {"image/jpg", "image/jpeg"},
    {"image/jxl", "image/jxl"},
    {"image/png", "image/png"},
    {"image/webp", "image/webp"},
    {"text/vtt", "text/vtt"},
    {"video/3gpp", "video/3gpp"},
    {"video/3gpp2", "video/3gpp2"},
    {"video/h264", "video/h264"},
    {"video/iso.segment", "video/iso.segment"},
    {"video/matroska", "video/matroska"},
    {"video/mp2t", "video/mp2t"},
    {"video/mp4", "video/mp4"},
    {"video/mpeg", "video/mpeg"},
    {"video/mpegts", "video/mp2t"},
    {"video/mpegurl", kPlaylistType},
    {"video/ogg", "video/ogg"},
    {"video/quicktime", "video/quicktime"},
    {"video/vnd.dlna.mpeg-tts", "video/vnd.dlna.mpeg-tts"},
    {"video/webm", "video/webm"},
    {"video/x-flv", "video/x-flv"},
    {"video/x-m4v", "video/x-m4v"},
    {"video/x-matroska", "video/x-matroska"},
    {"video/x-mpegurl", kPlaylistType},
    {"video/x-ms-wmv", "video/x-ms-wmv"},
    {"video/x-msvideo", "video/x-msvideo"},
    {"vnd.apple.mpegurl", kPlaylistType},
};

constexpr Mapping kExtensions[] = {
    {"3gp", "video/3gpp"},
    {"aac", "audio/aac"},
    {"ac3", "audio/ac3"},
    {"ac4", "audio/ac4"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"cmfa", "audio/mp4"},
    {"cmft", "application/mp4"},
    {"cmfv", "video/mp4"},
    {"eac3", "audio/eac3"},
    {"ec3", "audio/eac3"},
    {"flac", "audio/flac"},
    {"flv", "video/x-flv"},
    {"gif", "image/gif"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"m2ts", "video/mp2t"},
    {"m3u", kPlaylistType},
    {"m3u8", kPlaylistType},
    {"m4a", "audio/mp4"},
    {"m4s", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"mts", "video/mp2t"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"png", "image/png"},
    {"srt", "application/x-subrip"},
    {"ts", "video/mp2t"},
    {"vtt", "text/vtt"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"webvtt", "text/vtt"},
};

constexpr std::string_view key(std::string_view name) { return name; }
constexpr std::string_view key(const Mapping &mapping) { return mapping.from; }

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// As memcmp over `text` in lower case and `name`, which is so already.
constexpr int compare(std::string_view text, std::string_view name) {
  for (std::size_t i = 0; i < text.size() && i < name.size(); i++) {
    unsigned char a = static_cast<unsigned char>(lower(text[i])), b = static_cast<unsigned char>(name[i]);
    if (a != b) return a < b ? -1 : 1;
  }
  return text.size() == name.size() ? 0 : text.size() < name.size() ? -1 : 1;
}

template <typename Row, std::size_t N>
constexpr bool is_sorted(const Row (&table)[N]) {
  for (std::size_t i = 0; i < N; i++) {
    if (compare(key(table[i]), key(table[i])) != 0) return false;   // not in lower case
    if (key(table[i]).empty() || (i && compare(key(table[i - 1]), key(table[i])) >= 0)) return false;
  }
  return true;
}

static_assert(is_sorted(kDropped) && is_sorted(kDroppedPrefixes));
static_assert(is_sorted(kBody) && is_sorted(kBodyPrefixes));
static_assert(is_sorted(kTypes) && is_sorted(kExtensions));

template <typename Row, std::size_t N>
constexpr const Row *find(const Row (&table)[N], std::string_view text) {
  std::size_t low = 0, high = N;
  while (low < high) {
    std::size_t middle = low + (high - low) / 2;
    int order = compare(text, key(table[middle]));
    if (order == 0) return &table[middle];
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return nullptr;
}

bool equal(std::string_view text, std::string_view name) { return compare(text, name) == 0; }

template <std::size_t N>
bool begins_with_one_of(const std::string_view (&prefixes)[N], std::string_view text) {
  for (std::string_view prefix : prefixes) {
    if (equal(text.substr(0, prefix.size()), prefix)) return true;
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// `parameters` as in `; a=b; charset="UTF-8"` (RFC 9110 8.3.1), with the first ';' cut off.
bool says_utf8(std::string_view parameters) {
  while (!parameters.empty()) {
    std::size_t end = parameters.find(';');
    std::string_view parameter = trimmed(parameters.substr(0, end));
    parameters.remove_prefix(end == parameters.npos ? parameters.size() : end + 1);
    if (equal(parameter, "charset=utf-8") || equal(parameter, "charset=\"utf-8\"")) return true;
  }
  return false;
}

bool is_vague(std::string_view type) {
  return type.empty() || equal(type, "text/plain") || equal(type, "application/octet-stream") ||
         equal(type, "binary/octet-stream");
}

std::string_view extension(std::string_view file_name) {
  std::size_t dot = file_name.rfind('.');
  return dot == file_name.npos ? std::string_view() : file_name.substr(dot + 1);
}

}  // namespace

bool is_dropped_header(std::string_view name) {
  return find(kDropped, name) || begins_with_one_of(kDroppedPrefixes, name);
}

bool is_body_header(std::string_view name) {
  return find(kBody, name) || begins_with_one_of(kBodyPrefixes, name);
}

std::string_view media_type(std::string_view origin, std::string_view file_name) {
  std::size_t semicolon = origin.find(';');
  std::string_view type = trimmed(origin.substr(0, semicolon));
  if (is_vague(type)) {
    const Mapping *by_name = find(kExtensions, extension(file_name));
    return by_name ? by_name->to : kDefaultType;
  }
  const Mapping *listed = find(kTypes, type);
  if (!listed) return kDefaultType;
  if (listed->from == "text/vtt" && semicolon != origin.npos && says_utf8(origin.substr(semicolon + 1))) {
    return "text/vtt; charset=utf-8";
  }
  return listed->to;
}

}  // namespace hls

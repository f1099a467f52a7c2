#include "link_name.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace hls {

namespace {

using Extensions = std::uint8_t;
constexpr Extensions kPlaylist = 1, kMedia = 2, kKey = 4, kJson = 8, kImage = 16, kFile = 32;

constexpr std::size_t kMaxExtension = 7;   // without the dot

// Up to kMaxExtension bytes in lower case as one number, behind a 1 that tells "ts" from "\0ts".
constexpr std::uint64_t pack(std::string_view text) {
  std::uint64_t packed = 1;
  for (char c : text) {
    packed = packed << 8 | static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  }
  return packed;
}

struct Extension {
  std::uint64_t packed;
  Extensions set;

  constexpr Extension(std::string_view text, Extensions s) : packed(pack(text)), set(s) {}
};

// kMedia is what ffmpeg's allowed_segment_extensions, Kodi and Shaka have in common with what origins
// use; kFile are whole files, which only a plain M3U line or an entry names.
constexpr Extension kExtensions[] = {
    {"m3u8", kPlaylist}, {"m3u", kPlaylist},
    {"ts", kMedia},      {"m4s", kMedia},    {"mp4", kMedia},   {"m4v", kMedia},   {"m4a", kMedia},
    {"cmfv", kMedia},    {"cmfa", kMedia},   {"cmft", kMedia},  {"fmp4", kMedia},  {"mov", kMedia},
    {"aac", kMedia},     {"ac3", kMedia},    {"ec3", kMedia},   {"eac3", kMedia},  {"mp3", kMedia},
    {"mp2", kMedia},     {"flac", kMedia},   {"ogg", kMedia},   {"oga", kMedia},   {"wav", kMedia},
    {"vtt", kMedia},     {"webvtt", kMedia}, {"mpg", kMedia},   {"mpeg", kMedia},  {"mpegts", kMedia},
    {"3gp", kMedia},     {"mkv", kMedia},    {"ogv", kMedia},   {"m2ts", kFile},   {"mts", kFile},
    {"webm", kFile},     {"avi", kFile},     {"flv", kFile},
    {"key", kKey},       {"json", kJson},
    {"jpg", kImage},     {"jpeg", kImage},   {"png", kImage},   {"webp", kImage},  {"gif", kImage},
    {"avif", kImage},    {"bmp", kImage},
};

struct Rule {
  Extensions accepted;
  std::string_view fallback;   // with the dot
  std::string_view stem;       // where the upstream name has none
  LinkKind link;
};

// In the order of UriKind.
constexpr Rule kRules[] = {
    {kPlaylist, ".m3u8", "index", LinkKind::playlist},
    {kMedia, ".ts", "segment", LinkKind::media},
    {kMedia, ".mp4", "segment", LinkKind::media},
    {kMedia, ".mp4", "segment", LinkKind::media},
    {kKey, ".key", "key", LinkKind::media},
    {kJson, ".json", "data", LinkKind::media},
    {kImage, ".jpg", "image", LinkKind::media},
    {kPlaylist | kMedia | kJson | kImage | kFile, ".m3u8", "index", LinkKind::playlist},
};

// RFC 3986 2.3: what no client and no proxy ever re-encodes.
constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  table['-'] = table['.'] = table['_'] = table['~'] = true;
  return table;
}
constexpr std::array<bool, 256> kUnreserved = make_unreserved();

bool is_unreserved(char c) { return kUnreserved[static_cast<unsigned char>(c)]; }

Extensions extension_set(std::string_view name) {
  std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.size() - dot - 1 > kMaxExtension) return 0;
  const std::uint64_t packed = pack(name.substr(dot + 1));
  for (const Extension &e : kExtensions) {
    if (e.packed == packed) return e.set;
  }
  return 0;
}

}  // namespace

bool is_link_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxLinkName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_unreserved(c); });
}

bool is_media_name(std::string_view name) { return extension_set(name) & (kMedia | kFile); }

LinkName link_name(UriKind kind, std::string_view upstream, char *buffer) {
  Extensions set = extension_set(upstream);
  // A line of a media playlist that names a playlist (nested lists of IPTV) is played as one.
  if ((kind == UriKind::segment || kind == UriKind::fragment) && set == kPlaylist) kind = UriKind::playlist;

  const Rule &rule = kRules[static_cast<std::size_t>(kind)];
  bool accepted = set & rule.accepted;
  if (accepted && is_link_name(upstream)) return {upstream, true, rule.link};

  std::string_view stem = upstream, extension = rule.fallback;
  if (accepted) {
    extension = upstream.substr(upstream.rfind('.'));
    stem.remove_suffix(extension.size());
  }
  // A leading dot would hide the file or name a directory ("..").
  stem.remove_prefix(std::min(stem.find_first_not_of('.'), stem.size()));
  if (stem.empty()) stem = rule.stem;

  char *end = buffer;
  for (char c : stem.substr(0, kMaxLinkName - extension.size())) *end++ = is_unreserved(c) ? c : '_';
  end = std::copy(extension.begin(), extension.end(), end);
  return {{buffer, static_cast<std::size_t>(end - buffer)}, false, rule.link};
}

}  // namespace hls

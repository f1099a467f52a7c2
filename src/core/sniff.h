// What a body is, by its first bytes alone: names and Content-Types lie.

#ifndef HLS_SNIFF_H
#define HLS_SNIFF_H

#include <cstddef>
#include <string>
#include <string_view>

namespace hls {

enum class BodyKind {
  undecided,  // more bytes are needed
  playlist,   // "#EXT" after an optional BOM and at most kMaxBlanks bytes of blanks and line ends: not every
              // player asks for #EXTM3U
  html,
  json,       // begins with '{' or '[' after blanks
  disguised,  // text in a form that only some players read: UTF-16, other white space before "#EXT", or more
              // than kMaxBlanks blanks; no media begins so
  other,
};

constexpr std::size_t kMaxBlanks = 512;
/// With this many decoded bytes sniff() never answers undecided.
constexpr std::size_t kSniffBytes = 3 + kMaxBlanks + 64;

/// `complete`: `prefix` is the whole body.
BodyKind sniff(std::string_view prefix, bool complete);

/// The body bytes in the first bytes of a message with Transfer-Encoding: chunked (RFC 9112 7.1),
/// appended to `body`. `complete` is set when the last chunk was seen. False: not chunked framing.
bool unchunk_prefix(std::string_view raw, std::string &body, bool &complete);

}  // namespace hls

#endif

// What one line of a playlist is.

#ifndef HLS_PLAYLIST_LINE_H
#define HLS_PLAYLIST_LINE_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "attribute_list.h"
#include "playlist_tags.h"

namespace hls {

struct PlaylistLine {
  bool uri = false;           // `value` is a URI, without the blanks around it
  const Tag *tag = nullptr;   // null with !uri: blank, a comment, or a tag that is not known
  std::string_view value;     // of a tag: what follows the ':'
};

/// `line` without its end. Names are exact up to ':' or the end of the line (RFC 8216bis 4.1); blanks may
/// stand before the '#' and behind a name without value.
inline PlaylistLine read_playlist_line(std::string_view line) {
  PlaylistLine read;
  line = trim_blanks(line);
  if (line.empty()) return read;
  if (line.front() != '#') {
    read.uri = true;
    read.value = line;
    return read;
  }
  line.remove_prefix(1);
  if (line.substr(0, 3) != "EXT") return read;
  std::size_t colon = line.substr(0, playlist_tags::kMaxName + 1).find(':');
  read.tag = find_tag(line.substr(0, colon));
  if (colon != line.npos) read.value = line.substr(colon + 1);
  return read;
}

/// Cuts an input that comes in pieces into lines, which end with LF, CR LF, or a CR alone.
class LineReader {
public:
  enum Event : std::uint8_t {
    more,       // the input is used up, or it was nothing but the LF of a CR LF
    line,       // text() is a whole line, without its end
    overlong,   // text() is the beginning of a line that is longer than `limit`: the rest is left out
  };

  explicit LineReader(std::size_t limit) : limit_(limit) {}

  /// Takes from the front of `in`, which is not empty. After `line` call clear().
  Event take(std::string_view &in) {
    if (after_cr_ && in.front() == '\n') in.remove_prefix(1);
    after_cr_ = false;
    std::size_t end = std::min(in.find_first_of("\r\n"), in.size());
    std::size_t size = std::min(end, limit_ - text_.size());
    text_.append(in.substr(0, size));
    if (size < end && !cut_) {
      in.remove_prefix(size);
      cut_ = true;
      return overlong;
    }
    bool ends = end < in.size();
    after_cr_ = ends && in[end] == '\r';
    in.remove_prefix(end + ends);
    return ends ? line : more;
  }

  std::string_view text() const { return text_; }

  void clear() {
    text_.clear();
    cut_ = false;
  }

private:
  std::size_t limit_;
  std::string text_;
  bool after_cr_ = false;
  bool cut_ = false;   // the rest of this line is left out
};

/// Of a line that is cut: whether what is missing may be of interest. Blanks may come before anything.
inline bool matters_to_the_end(std::string_view line) {
  PlaylistLine read = read_playlist_line(line);
  if (read.uri || trim_blanks(line).empty()) return true;
  if (!read.tag || read.tag->role == TagRole::extinf) return false;
  return read.tag->carries_uri() || read.tag->role != TagRole::none;
}

/// A decimal-integer (4.2) at the front of `text`; what does not fit is the largest number.
inline std::uint64_t read_decimal(std::string_view text) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t n = 0;
  for (char c : trim_blanks(text)) {
    if (c < '0' || c > '9') break;
    std::uint64_t digit = static_cast<std::uint64_t>(c - '0');
    if (n > (kMax - digit) / 10) return kMax;
    n = n * 10 + digit;
  }
  return n;
}

inline std::uint64_t add_saturated(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = a + b;
  return sum < a ? std::numeric_limits<std::uint64_t>::max() : sum;
}

}  // namespace hls

#endif

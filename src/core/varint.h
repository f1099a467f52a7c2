// Lengths in the compact records of links: LEB128, seven bits a byte, the low ones first.

#ifndef HLS_VARINT_H
#define HLS_VARINT_H

#include <cstdint>
#include <string>
#include <string_view>

namespace hls {

inline void put_varint(std::string &to, std::uint32_t n) {
  for (; n >= 0x80; n >>= 7) to.push_back(static_cast<char>(0x80 | (n & 0x7f)));
  to.push_back(static_cast<char>(n));
}

/// Takes a number off the front; false for a cut-off, an oversized or a padded one (one number has one form).
inline bool take_varint(std::string_view &from, std::uint32_t &n) {
  n = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    if (from.empty()) return false;
    unsigned char byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    n |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return byte != 0 || shift == 0;
  }
  return false;
}

inline void put_text(std::string &to, std::string_view text) {
  put_varint(to, static_cast<std::uint32_t>(text.size()));
  to.append(text);
}

/// Takes a length and as many bytes off the front.
inline bool take_text(std::string_view &from, std::string_view &text) {
  std::uint32_t size;
  if (!take_varint(from, size) || size > from.size()) return false;
  text = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

}  // namespace hls

#endif

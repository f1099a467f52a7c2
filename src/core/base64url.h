// RFC 4648 section 5, without padding.

#ifndef HLS_BASE64URL_H
#define HLS_BASE64URL_H

#include <cstddef>
#include <string>
#include <string_view>

namespace hls {

constexpr std::size_t base64url_length(std::size_t bytes) { return (bytes * 4 + 2) / 3; }

/// Writes base64url_length(bytes.size()) characters at `to`; returns the end.
char *base64url_encode(char *to, std::string_view bytes);
std::string base64url_encode(std::string_view bytes);

/// Strict: no padding, no foreign characters, and the unused bits of the last character are zero, so
/// that every byte string has exactly one text. Appends to `bytes`.
bool base64url_decode(std::string_view text, std::string &bytes);

}  // namespace hls

#endif

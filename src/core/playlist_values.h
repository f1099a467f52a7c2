// Values of tags and attributes (RFC 8216bis 4.2).

#ifndef HLS_PLAYLIST_VALUES_H
#define HLS_PLAYLIST_VALUES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hls {

/// Eleven days in microseconds: longer ones are cut to it, so that no sum of a playlist's overflows.
constexpr std::uint64_t kMaxDuration = 1000000000000;

/// A decimal-floating-point as microseconds; digits beyond are cut off. Negative ones and what is no
/// number are 0.
std::uint64_t read_microseconds(std::string_view text);

/// ISO 8601 as 4.4.4.6 wants it, YYYY-MM-DDThh:mm:ss[.fraction][Z|+hh:mm|+hhmm|+hh]; without a zone it is
/// taken for UTC. Microseconds since the epoch.
std::optional<std::int64_t> read_date(std::string_view text);

/// Whether EXTINF's value is over 0: IPTV lists write 0 or -1 for what has no end.
bool is_positive(std::string_view duration);

/// "n[@o]" (4.4.4.2).
struct RangeText {
  std::uint64_t length = 0;
  std::optional<std::uint64_t> offset;
};

RangeText read_range(std::string_view text);

/// A hexadecimal-sequence without what can be written in several ways: prefix, leading zeros, case.
std::string plain_hex(std::string_view text);

/// The first 64 bits of SHA-256: what an origin writes cannot collide on purpose.
std::uint64_t hash_bytes(std::string_view bytes);

/// A decimal without zeros that say nothing: 29.97 and 29.970 are one frame rate.
std::string plain_decimal(std::string_view text);

}  // namespace hls

#endif

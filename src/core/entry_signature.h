// Signatures of entries: the formula of AniBridge's .strm files, so that those go on playing.

#ifndef HLS_ENTRY_SIGNATURE_H
#define HLS_ENTRY_SIGNATURE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hls {

/// Name and value, both decoded.
using Arguments = std::vector<std::pair<std::string, std::string>>;

/// Decodes a raw query as form data, in its order. "a" and "a=" are the same; duplicates stay.
Arguments parse_arguments(std::string_view query);

/// Lower-case hex HMAC-SHA256 with the secret itself as key, over the arguments (sig and token left out)
/// sorted by name, then value, form-urlencoded: Python's urlencode(sorted(args.items())). The order of
/// arguments is not covered, so one that occurs twice must not mean its first or its last value.
std::string entry_signature(const Arguments &args, std::string_view secret);

enum class EntryState {
  ok,
  missing,         // neither sig nor token
  bad_signature,
  expired,         // `until` has come
  malformed,       // several of sig and token, not 64 hex digits, or a bad until
};

/// Checks sig (or token; hex in either case) in constant time against every secret; `until` (seconds
/// since the epoch, 0 where absent) is read only from what verified. Throws where OpenSSL fails.
EntryState check_entry(const Arguments &args, const std::vector<std::string> &secrets, std::uint64_t now,
                       std::uint64_t &until);

/// until alone, for entries whose use is granted another way. False: several, or not a plain decimal
/// number that a link's `end` can hold (1 to 16 digits, no leading zero).
bool entry_until(const Arguments &args, std::uint64_t &until);

}  // namespace hls

#endif

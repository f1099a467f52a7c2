// One answer of the resolver for a stream, as it lies in shared memory.

#ifndef HLS_GENERATION_H
#define HLS_GENERATION_H

#include <cstdint>
#include <string>
#include <string_view>

#include "resolver_answer.h"

namespace hls {

struct Generation {
  std::uint64_t number = 0;      // counts the answers for one stream
  std::uint64_t resolved = 0;    // when, in seconds since the epoch
  ResolverAnswer answer;

  bool same_provider(const Generation &o) const { return answer.provider == o.answer.provider; }

  /// Whether it may serve at `now`: for `ttl` seconds, and not beyond what the answer itself says.
  bool is_fresh(std::uint64_t now, std::uint64_t ttl) const;

  /// Whether to renew it in the background: `before` seconds before it expires. Never where nobody says
  /// when that is.
  bool is_due(std::uint64_t now, std::uint64_t before) const;

  std::string serialise() const;
  /// The reverse; false, with nothing set, for anything that serialise() would not have written.
  static bool deserialise(std::string_view bytes, Generation &generation);
};

}  // namespace hls

#endif

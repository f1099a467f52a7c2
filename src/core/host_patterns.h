// The `hosts` of a source: which upstream hosts its links may name.

#ifndef HLS_HOST_PATTERNS_H
#define HLS_HOST_PATTERNS_H

#include <string>
#include <string_view>
#include <vector>

namespace hls {

class HostPatterns {
public:
  /// "cdn.example" (that host), "*.cdn.example" (hosts below it, any depth), ".cdn.example" (both);
  /// each with an optional ":port" (without one: any port); IPv4 addresses, IPv6 literals in brackets.
  /// In any case of letters. False: `reason` says what is wrong with the pattern.
  bool add(std::string_view pattern, std::string &reason);

  /// `host` in lower case, without brackets; a trailing dot is ignored. An IPv6 address matches in every
  /// way of writing it (RFC 4291 2.2). An empty list matches every host.
  bool match(std::string_view host, unsigned port) const;

  bool empty() const { return patterns_.empty(); }

private:
  struct Pattern {
    std::string host;   // lower case; an IPv6 address as its 16 bytes
    unsigned port;      // 0: any
    bool itself, below;
    bool ipv6;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace hls

#endif

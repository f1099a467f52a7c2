// Which addresses and ports an origin may have: only what is public, unless the configuration opens more.

#ifndef HLS_ADDRESS_POLICY_H
#define HLS_ADDRESS_POLICY_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host_patterns.h"

namespace hls {

/// An IPv4 or IPv6 address. One that nobody has set is "::", which is refused.
struct Address {
  std::array<std::uint8_t, 16> bytes{};   // network byte order; of IPv4 the first four, the others are 0
  bool v4 = false;
};

/// `bytes` are four, in network byte order (in_addr).
constexpr Address ipv4_address(const std::uint8_t *bytes) {
  Address address;
  address.v4 = true;
  for (unsigned i = 0; i < 4; i++) address.bytes[i] = bytes[i];
  return address;
}

/// `bytes` are sixteen, in network byte order (in6_addr).
constexpr Address ipv6_address(const std::uint8_t *bytes) {
  Address address;
  for (unsigned i = 0; i < 16; i++) address.bytes[i] = bytes[i];
  return address;
}

bool operator==(const Address &a, const Address &b);
inline bool operator!=(const Address &a, const Address &b) { return !(a == b); }

/// Dotted IPv4; IPv6 as RFC 5952 has it, the last 32 bits dotted where an IPv4 address is embedded.
std::string to_text(const Address &address);

enum class HostForm {
  name,        // to be looked up
  address,     // no look-up is due, nor wanted
  malformed,   // neither: to be refused, never looked up
};

/// What the host of a URL is; without the brackets of an IPv6 literal, in any case of letters, with or
/// without one dot at its end. For HostForm::address `out` holds it, else `out` stays as it was.
///
/// IPv4: every form that inet_aton(3) reads, since somewhere along the way something may read it so:
/// one to four parts, each decimal, octal ("0177") or hexadecimal ("0x7f"), the last one filling the
/// bytes that are left. A host whose last label is a number yet that is no address ("256.1.1.1",
/// "1.2.3.4.5", "08.1") is malformed, as in the WHATWG URL standard ("ends in a number").
/// IPv6: RFC 4291 2.2; zone identifiers (RFC 4007 11) are malformed: they name an interface of ours.
/// "localhost" and names below it are 127.0.0.1, whatever DNS may say (RFC 6761 6.3).
/// Malformed, too: what no DNS name has, such as '%', spaces, controls, non-ASCII, empty labels,
/// labels beyond 63 and names beyond 253 characters (RFC 1035 2.3.4).
HostForm parse_host(std::string_view host, Address &out);

/// IPv4-mapped (::ffff:0:0/96) and IPv4-compatible (::/96 but for :: and ::1; RFC 4291 2.5.5) addresses as
/// the IPv4 address that they embed; any other as it is.
Address unmapped(const Address &address);

enum class AddressKind {
  global,          // global unicast: the only one that is not refused
  this_network, unspecified, loopback, private_use, unique_local, carrier_nat, link_local, site_local,
  metadata, protocol, documentation, benchmarking, multicast, reserved, broadcast,
  discard_only, segment_routing, teredo, six_to_four, six_to_four_relay, nat64,
  not_global,      // IPv6 outside 2000::/3 and nothing of the above
};

/// By the IANA special-purpose address registries (RFC 6890, as of July 2026) and what lies beside them.
/// Judged is unmapped(address). Teredo, 6to4 and NAT64 addresses are refused outright, whatever they
/// embed: where they lead is up to a relay or translator that is none of ours to judge. What cannot be
/// told from the address is a NAT64 prefix of a network's own (RFC 6052 2.2).
AddressKind kind(const Address &address);

/// Why the address is refused, for the log: "loopback", "private" …; null: it is global unicast.
const char *refusal(const Address &address);

/// One of the "bad ports" of the WHATWG fetch standard: well known, and not for HTTP. So is 0.
bool is_bad_port(std::uint16_t port);

/// `hls_proxy_origin_allow`: exceptions to the policy.
class OriginAllow {
public:
  enum class Opened { nothing, address, address_and_port };

  /// A network "10.0.0.0/8" or "fd00::/8" (also "[fd00::]/8"), an address "10.0.0.1" or "[fd00::1]" (a
  /// network of one), or a host as HostPatterns has it: "cdn.example", "*.cdn.example", ".cdn.example".
  /// Each may end in ":port"; without one it holds for every port but the bad ones, so that a bad port is
  /// opened by its number only. False: `reason` says what is wrong, and nothing is opened.
  bool add(std::string_view text, std::string &reason);

  /// What is opened for `host` (lower case, no brackets) at `address`. A host opens whatever address it
  /// has; a network opens its addresses whatever name they have. IPv6 networks hold no IPv4-mapped
  /// addresses: those are judged as IPv4, and so are networks: "::/0" opens IPv6 only.
  Opened match(const Address &address, std::string_view host, std::uint16_t port) const;

  bool empty() const { return networks_.empty() && hosts_.empty() && hosts_with_port_.empty(); }

private:
  struct Network {
    Address address;
    unsigned bits;
    std::uint16_t port;   // 0: any
  };

  const char *add_network(std::string_view text, std::size_t slash);
  const char *add_address(std::string_view text, bool &is_address);

  std::vector<Network> networks_;
  HostPatterns hosts_, hosts_with_port_;
};

/// Whether a connection to `address` may be made for `host`, which has it or is it. Null: it may; else
/// the reason, as refusal() gives it, or "port of another protocol".
const char *verdict(const Address &address, std::string_view host, std::uint16_t port,
                    const OriginAllow &allow);

}  // namespace hls

#endif

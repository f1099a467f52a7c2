#include "address_policy.h"

#include <algorithm>
#include <cstdio>

namespace hls {
namespace {

constexpr std::size_t kMaxHost = 253;   // RFC 1035 2.3.4, as text
constexpr std::size_t kMaxLabel = 63;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// 16 and more: no digit of any base.
constexpr unsigned digit_value(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  c = lower(c);
  return c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10) : 16;
}

// ---- addresses from text -----------------------------------------------------------------------

// Decimal, without leading zeros: 0 to `max`, which has at most five digits.
constexpr bool parse_decimal(std::string_view text, unsigned max, unsigned &value) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  value = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + digit_value(c);
  }
  return value <= max;
}

// A part of an address as inet_aton reads it, by the prefixes of C's integers.
constexpr bool parse_number(std::string_view text, std::uint64_t &value) {
  unsigned base = 10;
  if (text.size() > 1 && text[0] == '0') {
    base = lower(text[1]) == 'x' ? 16 : 8;
    text.remove_prefix(base == 16 ? 2 : 1);
  }
  if (text.empty()) return false;
  value = 0;
  for (char c : text) {
    if (digit_value(c) >= base) return false;
    value = value * base + digit_value(c);
    if (value > 0xFFFFFFFF) return false;
  }
  return true;
}

// What inet_aton reads, but for whatever may follow a space there.
constexpr bool parse_any_ipv4(std::string_view text, Address &out) {
  std::uint32_t address = 0;
  unsigned part = 0;
  for (bool more = true; more; part++) {
    std::size_t dot = text.find('.');
    std::uint64_t value = 0;
    more = dot != text.npos;
    if (!parse_number(text.substr(0, dot), value)) return false;
    if (more && (part == 3 || value > 255)) return false;
    if (!more && value >> (32 - 8 * part)) return false;
    address |= static_cast<std::uint32_t>(more ? value << (24 - 8 * part) : value);
    if (more) text.remove_prefix(dot + 1);
  }
  out = Address();
  out.v4 = true;
  for (unsigned i = 0; i < 4; i++) out.bytes[i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
  return true;
}

// RFC 3986's IPv4address: four decimals. The only form within IPv6 addresses and in the configuration.
constexpr bool parse_dotted_ipv4(std::string_view text, std::uint8_t *bytes) {
  for (unsigned i = 0; i < 4; i++) {
    std::size_t dot = text.find('.');
    unsigned value = 0;
    if ((dot == text.npos) != (i == 3) || !parse_decimal(text.substr(0, dot), 255, value)) return false;
    bytes[i] = static_cast<std::uint8_t>(value);
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return true;
}

constexpr bool parse_group(std::string_view text, std::uint8_t *bytes) {
  if (text.empty() || text.size() > 4) return false;
  unsigned value = 0;
  for (char c : text) {
    if (digit_value(c) > 15) return false;
    value = value * 16 + digit_value(c);
  }
  bytes[0] = static_cast<std::uint8_t>(value >> 8);
  bytes[1] = static_cast<std::uint8_t>(value);
  return true;
}

// RFC 4291 2.2; "::" stands for one group of zeros at least.
constexpr bool parse_ipv6(std::string_view text, Address &out) {
  constexpr std::size_t kNone = 17;
  std::uint8_t bytes[16] = {};
  std::size_t filled = 0, gap = kNone;   // gap: how much was filled before "::"
  if (text.substr(0, 2) == "::") {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty() || gap != filled) {
    std::size_t colon = text.find(':');
    std::string_view group = text.substr(0, colon);
    if (colon == text.npos && group.find('.') != group.npos) {
      if (filled > 12 || !parse_dotted_ipv4(group, bytes + filled)) return false;
      filled += 4;
      break;
    }
    if (filled > 14 || !parse_group(group, bytes + filled)) return false;
    filled += 2;
    if (colon == text.npos) break;
    text.remove_prefix(colon + 1);
    if (text.substr(0, 1) != ":") continue;
    if (gap != kNone) return false;
    gap = filled;
    text.remove_prefix(1);
  }
  if ((gap == kNone) != (filled == 16)) return false;
  out = Address();
  for (std::size_t i = 0; i < filled; i++) out.bytes[i < gap ? i : i + 16 - filled] = bytes[i];
  return true;
}

// As one writes an address in a configuration: no number that only inet_aton would take for one.
constexpr bool parse_address(std::string_view text, Address &out) {
  std::uint8_t bytes[4] = {};
  if (text.find(':') != text.npos) return parse_ipv6(text, out);
  if (!parse_dotted_ipv4(text, bytes)) return false;
  out = ipv4_address(bytes);
  return true;
}

// A name that DNS could know; no dot at its end.
bool is_host_name(std::string_view host) {
  if (host.size() > kMaxHost) return false;
  std::size_t label = 0;   // where the present one begins
  for (std::size_t i = 0; i <= host.size(); i++) {
    if (i < host.size() && host[i] != '.') {
      char c = lower(host[i]);
      if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '_') return false;
      continue;
    }
    if (i == label || i - label > kMaxLabel) return false;
    label = i + 1;
  }
  return true;
}

// The WHATWG URL standard's "ends in a number": then the host is an address or nothing.
bool ends_in_number(std::string_view host) {
  std::string_view label = host.substr(host.rfind('.') + 1);   // npos + 1 is 0
  bool hex = label.size() > 1 && label[0] == '0' && lower(label[1]) == 'x';
  unsigned base = hex ? 16 : 10;
  if (hex) label.remove_prefix(2);
  return std::all_of(label.begin(), label.end(), [&](char c) { return digit_value(c) < base; });
}

bool is_localhost(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.size() < kName.size()) return false;
  std::size_t before = host.size() - kName.size();
  if (before != 0 && host[before - 1] != '.') return false;
  return std::equal(kName.begin(), kName.end(), host.begin() + static_cast<std::ptrdiff_t>(before),
                    [](char a, char b) { return a == lower(b); });
}

// ---- networks ----------------------------------------------------------------------------------

struct Block {
  Address address;
  unsigned bits;
};

constexpr unsigned max_bits(const Address &address) { return address.v4 ? 32 : 128; }

constexpr std::uint8_t mask(unsigned bits) { return static_cast<std::uint8_t>(0xFF00 >> bits); }   // up to 8

constexpr bool contains(const Address &network, unsigned bits, const Address &address) {
  if (network.v4 != address.v4) return false;
  for (unsigned i = 0; i < bits / 8; i++) {
    if (network.bytes[i] != address.bytes[i]) return false;
  }
  return bits % 8 == 0 || ((network.bytes[bits / 8] ^ address.bytes[bits / 8]) & mask(bits % 8)) == 0;
}

constexpr bool contains(const Block &block, const Address &address) {
  return contains(block.address, block.bits, address);
}

constexpr bool has_host_bits(const Address &address, unsigned bits) {
  for (unsigned i = bits; i < max_bits(address); i++) {
    if (address.bytes[i / 8] & (0x80 >> i % 8)) return true;
  }
  return false;
}

// 999 bits where the text is no network; no table below has such a row, as is asserted.
constexpr Block block(std::string_view text) {
  Block b{Address(), 999};
  std::size_t slash = text.find('/');
  if (slash == text.npos || !parse_address(text.substr(0, slash), b.address)) return b;
  unsigned bits = 0;
  if (!parse_decimal(text.substr(slash + 1), max_bits(b.address), bits)) return b;
  if (!has_host_bits(b.address, bits)) b.bits = bits;
  return b;
}

struct Row {
  Block block;
  AddressKind kind;
};

// The first row that holds an address decides. "IANA" are the IPv4 and IPv6 Special-Purpose Address
// Registries: what is not globally reachable there, or no longer, is here. Blocks within a refused one that
// are globally reachable (anycast addresses of protocols) are no origins and refused with it.
constexpr Row kRows[] = {
    {block("169.254.169.254/32"), AddressKind::metadata},        // instance metadata of most clouds
    {block("168.63.129.16/32"), AddressKind::metadata},          // Azure's platform services, in public space
    {block("fd00:ec2::254/128"), AddressKind::metadata},         // EC2's, over IPv6

    {block("0.0.0.0/8"), AddressKind::this_network},             // IANA; RFC 791 3.2
    {block("10.0.0.0/8"), AddressKind::private_use},             // IANA; RFC 1918
    {block("100.64.0.0/10"), AddressKind::carrier_nat},          // IANA; RFC 6598
    {block("127.0.0.0/8"), AddressKind::loopback},               // IANA; RFC 1122 3.2.1.3
    {block("169.254.0.0/16"), AddressKind::link_local},          // IANA; RFC 3927
    {block("172.16.0.0/12"), AddressKind::private_use},          // IANA; RFC 1918
    {block("192.0.0.0/24"), AddressKind::protocol},              // IANA; RFC 6890 2.1
    {block("192.0.2.0/24"), AddressKind::documentation},         // IANA; RFC 5737
    {block("192.88.99.0/24"), AddressKind::six_to_four_relay},   // IANA, deprecated; RFC 7526
    {block("192.168.0.0/16"), AddressKind::private_use},         // IANA; RFC 1918
    {block("198.18.0.0/15"), AddressKind::benchmarking},         // IANA; RFC 2544
    {block("198.51.100.0/24"), AddressKind::documentation},      // IANA; RFC 5737
    {block("203.0.113.0/24"), AddressKind::documentation},       // IANA; RFC 5737
    {block("224.0.0.0/4"), AddressKind::multicast},              // IANA's multicast registry; RFC 5771
    {block("255.255.255.255/32"), AddressKind::broadcast},       // IANA; RFC 919 7
    {block("240.0.0.0/4"), AddressKind::reserved},               // IANA; RFC 1112 4

    {block("::/128"), AddressKind::unspecified},                 // IANA; RFC 4291 2.5.2
    {block("::1/128"), AddressKind::loopback},                   // IANA; RFC 4291 2.5.3
    {block("64:ff9b::/96"), AddressKind::nat64},                 // IANA; RFC 6052
    {block("64:ff9b:1::/48"), AddressKind::nat64},               // IANA; RFC 8215
    {block("100::/64"), AddressKind::discard_only},              // IANA; RFC 6666
    {block("2001::/32"), AddressKind::teredo},                   // IANA; RFC 4380
    {block("2001:2::/48"), AddressKind::benchmarking},           // IANA; RFC 5180
    {block("2001::/23"), AddressKind::protocol},                 // IANA; RFC 2928 (ORCHID, AMT, AS112 …)
    {block("2001:db8::/32"), AddressKind::documentation},        // IANA; RFC 3849
    {block("2002::/16"), AddressKind::six_to_four},              // IANA; RFC 3056
    {block("3fff::/20"), AddressKind::documentation},            // IANA; RFC 9637
    {block("5f00::/16"), AddressKind::segment_routing},          // IANA; RFC 9602
    {block("fc00::/7"), AddressKind::unique_local},              // IANA; RFC 4193
    {block("fe80::/10"), AddressKind::link_local},               // IANA; RFC 4291 2.5.6
    {block("fec0::/10"), AddressKind::site_local},               // deprecated by RFC 3879
    {block("ff00::/8"), AddressKind::multicast},                 // RFC 4291 2.7
};

constexpr Block kGlobalUnicast = block("2000::/3");   // all that IANA allocates from; RFC 4291 2.4
constexpr Block kMapped = block("::ffff:0:0/96");     // RFC 4291 2.5.5.2
constexpr Block kCompatible = block("::/96");         // RFC 4291 2.5.5.1, deprecated

constexpr bool is_written_well(const Block &b) { return b.bits <= max_bits(b.address); }

// Every row is a network and can be reached: none before it holds all of it.
constexpr bool are_written_well() {
  for (const Row &row : kRows) {
    if (!is_written_well(row.block)) return false;
    for (const Row *before = kRows; before != &row; before++) {
      if (before->block.bits <= row.block.bits && contains(before->block, row.block.address)) return false;
    }
  }
  return is_written_well(kGlobalUnicast) && is_written_well(kMapped) && is_written_well(kCompatible);
}
static_assert(are_written_well());

const char *name(AddressKind kind) {
  switch (kind) {
    case AddressKind::global: return nullptr;
    case AddressKind::this_network: return "this network";
    case AddressKind::unspecified: return "unspecified";
    case AddressKind::loopback: return "loopback";
    case AddressKind::private_use: return "private";
    case AddressKind::unique_local: return "unique local";
    case AddressKind::carrier_nat: return "carrier-grade NAT";
    case AddressKind::link_local: return "link-local";
    case AddressKind::site_local: return "site-local";
    case AddressKind::metadata: return "metadata service";
    case AddressKind::protocol: return "protocol assignment";
    case AddressKind::documentation: return "documentation";
    case AddressKind::benchmarking: return "benchmarking";
    case AddressKind::multicast: return "multicast";
    case AddressKind::reserved: return "reserved";
    case AddressKind::broadcast: return "broadcast";
    case AddressKind::discard_only: return "discard-only";
    case AddressKind::segment_routing: return "segment routing";
    case AddressKind::teredo: return "Teredo";
    case AddressKind::six_to_four: return "6to4";
    case AddressKind::six_to_four_relay: return "6to4 relay";
    case AddressKind::nat64: return "NAT64";
    case AddressKind::not_global: break;
  }
  return "not global unicast";
}

// ---- ports -------------------------------------------------------------------------------------

// https://fetch.spec.whatwg.org/#port-blocking, as of July 2026.
constexpr std::uint16_t kBadPorts[] = {
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
};

constexpr bool are_sorted() {
  for (std::size_t i = 1; i < std::size(kBadPorts); i++) {
    if (kBadPorts[i - 1] >= kBadPorts[i]) return false;
  }
  return true;
}
static_assert(are_sorted());

constexpr const char *kBadPort = "the port is not a number from 1 to 65535";
constexpr const char *kNotFourDecimals = "an IPv4 address is written as four decimals";
constexpr const char *kNotAsIPv4 = "this is IPv4 within IPv6: write the IPv4 address or network";

// Of "host[:port]" or "length[:port]": takes the port off; 0 where there is none.
const char *take_port(std::string_view &text, std::uint16_t &port) {
  std::size_t colon = text.find(':');
  port = 0;
  if (colon == text.npos) return nullptr;
  unsigned value = 0;
  if (!parse_decimal(text.substr(colon + 1), 65535, value) || value == 0) return kBadPort;
  port = static_cast<std::uint16_t>(value);
  text = text.substr(0, colon);
  return nullptr;
}

}  // namespace

bool operator==(const Address &a, const Address &b) { return a.v4 == b.v4 && a.bytes == b.bytes; }

std::string to_text(const Address &address) {
  const auto &b = address.bytes;
  char text[16];
  auto dotted = [&](std::size_t from) {
    return std::string(text, static_cast<std::size_t>(std::snprintf(
                                 text, sizeof text, "%u.%u.%u.%u", static_cast<unsigned>(b[from]),
                                 static_cast<unsigned>(b[from + 1]), static_cast<unsigned>(b[from + 2]),
                                 static_cast<unsigned>(b[from + 3]))));
  };
  if (address.v4) return dotted(0);
  if (unmapped(address).v4 && (contains(kMapped, address) || b[12] || b[13])) {
    return (contains(kMapped, address) ? "::ffff:" : "::") + dotted(12);
  }

  // The longest run of two groups of zeros or more, the first of several (RFC 5952 4.2).
  auto group = [&](std::size_t i) { return static_cast<unsigned>(b[2 * i] << 8 | b[2 * i + 1]); };
  std::size_t gap = 8, length = 1;
  for (std::size_t i = 0, run = 0; i < 8; i++) {
    run = group(i) == 0 ? run + 1 : 0;
    if (run > length) {
      length = run;
      gap = i + 1 - run;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < 8; i++) {
    if (i == gap) {
      out += "::";
      i += length - 1;
      continue;
    }
    if (i != 0 && i != gap + length) out += ':';
    out.append(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%x", group(i))));
  }
  return out;
}

HostForm parse_host(std::string_view host, Address &out) {
  constexpr std::uint8_t kLoopback[] = {127, 0, 0, 1};
  if (host.find(':') != host.npos) return parse_ipv6(host, out) ? HostForm::address : HostForm::malformed;
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  if (!is_host_name(host)) return HostForm::malformed;
  if (ends_in_number(host)) return parse_any_ipv4(host, out) ? HostForm::address : HostForm::malformed;
  if (!is_localhost(host)) return HostForm::name;
  out = ipv4_address(kLoopback);
  return HostForm::address;
}

Address unmapped(const Address &address) {
  if (!contains(kMapped, address)) {
    if (!contains(kCompatible, address)) return address;
    const auto &b = address.bytes;
    if (b[12] == 0 && b[13] == 0 && b[14] == 0 && b[15] <= 1) return address;   // :: and ::1
  }
  return ipv4_address(address.bytes.data() + 12);
}

AddressKind kind(const Address &address) {
  const Address judged = unmapped(address);
  for (const Row &row : kRows) {
    if (contains(row.block, judged)) return row.kind;
  }
  return judged.v4 || contains(kGlobalUnicast, judged) ? AddressKind::global : AddressKind::not_global;
}

const char *refusal(const Address &address) { return name(kind(address)); }

bool is_bad_port(std::uint16_t port) {
  return std::binary_search(std::begin(kBadPorts), std::end(kBadPorts), port);
}

// "address/length[:port]"; the slash is where a network differs from a host.
const char *OriginAllow::add_network(std::string_view text, std::size_t slash) {
  std::string_view address = text.substr(0, slash), length = text.substr(slash + 1);
  if (address.size() > 1 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    if (address.find(':') == address.npos) return "only an IPv6 address stands in brackets";
  }
  Network network{};
  if (!parse_address(address, network.address)) {
    return "before '/' there is no address: what is wanted is a network or a host";
  }
  if (const char *fault = take_port(length, network.port)) return fault;
  if (!parse_decimal(length, max_bits(network.address), network.bits)) {
    return network.address.v4 ? "the prefix length is not a number from 0 to 32"
                              : "the prefix length is not a number from 0 to 128";
  }
  if (has_host_bits(network.address, network.bits)) return "bits are set beyond the prefix";
  if (network.bits >= 96 && network.bits < 128 && contains(kCompatible, network.address)) return kNotAsIPv4;
  if (network.bits >= 96 && !network.address.v4 && unmapped(network.address).v4) return kNotAsIPv4;
  networks_.push_back(network);
  return nullptr;
}

// "address[:port]". What is no address is left to HostPatterns.
const char *OriginAllow::add_address(std::string_view text, bool &is_address) {
  Network network{};
  std::string_view literal = text, port;
  if (text.substr(0, 1) == "[") {
    std::size_t bracket = text.find(']');
    if (bracket == text.npos || !parse_ipv6(text.substr(1, bracket - 1), network.address)) return nullptr;
    is_address = true;
    port = text.substr(bracket + 1);
    if (!port.empty() && port[0] != ':') return "only a port may follow ']'";
    if (unmapped(network.address).v4) return kNotAsIPv4;
  } else {
    literal = text.substr(0, text.find(':'));
    port = text.substr(literal.size());
    if (!literal.empty() && literal.back() == '.') literal.remove_suffix(1);
    if (port.find(':', 1) != port.npos || !is_host_name(literal) || !ends_in_number(literal)) return nullptr;
    is_address = true;
    if (!parse_address(literal, network.address)) return kNotFourDecimals;
  }
  network.bits = max_bits(network.address);
  if (const char *fault = take_port(port, network.port)) return fault;
  networks_.push_back(network);
  return nullptr;
}

bool OriginAllow::add(std::string_view text, std::string &reason) {
  bool is_network = true;
  const char *fault = nullptr;
  std::size_t slash = text.find('/');
  if (slash != text.npos) {
    fault = add_network(text, slash);
  } else if (text.substr(0, text.find(':')) == "*") {
    fault = "to open every address give 0.0.0.0/0 and ::/0";
  } else {
    is_network = false;
    fault = add_address(text, is_network);
  }
  if (fault) {
    reason = "bad network or host \"" + std::string(text) + "\": " + fault;
    return false;
  }
  if (is_network) return true;
  return (text.find(':') == text.npos ? hosts_ : hosts_with_port_).add(text, reason);
}

OriginAllow::Opened OriginAllow::match(const Address &address, std::string_view host,
                                       std::uint16_t port) const {
  // An empty HostPatterns matches every host.
  if (!hosts_with_port_.empty() && hosts_with_port_.match(host, port)) return Opened::address_and_port;
  Opened opened = !hosts_.empty() && hosts_.match(host, port) ? Opened::address : Opened::nothing;
  const Address judged = unmapped(address);
  for (const Network &network : networks_) {
    if (!contains(network.address, network.bits, judged)) continue;
    if (network.port == 0) opened = Opened::address;
    else if (network.port == port) return Opened::address_and_port;
  }
  return opened;
}

const char *verdict(const Address &address, std::string_view host, std::uint16_t port,
                    const OriginAllow &allow) {
  const OriginAllow::Opened opened = allow.match(address, host, port);
  if (opened == OriginAllow::Opened::address_and_port) return nullptr;
  if (is_bad_port(port)) return "port of another protocol";
  return opened == OriginAllow::Opened::address ? nullptr : refusal(address);
}

}  // namespace hls
